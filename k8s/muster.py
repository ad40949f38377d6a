"""Gathers the workers of an attempt: waits for each, says which one is missing and why, and makes way on them."""

import logging
from collections.abc import Callable, Sequence

from k8s.attempts import fewer_workers
from k8s.crew import Crew, Worker
from k8s.place import Place
from k8s.watch import Hindrance
from trainer.config import Config
from trainer.errors import ClusterError

log = logging.getLogger("cxr_train")

SAY_AFTER_SECONDS = 3.0
"""What is over by then is not worth a line."""

SAY_AGAIN_SECONDS = 30.0
FEWER_AFTER_SECONDS = 120.0
"""What a lost worker gets to come back before the others go on without it, where restarts.minimum_workers allows."""

_CLEAR_SECONDS = 20.0


class Muster:
    """Waits for workers. ``heed`` is given every event, and may raise."""

    def __init__(self, config: Config, place: Place, crew: Crew, clock: Callable[[], float]) -> None:
        self._config, self._place, self._crew, self._clock = config, place, crew, clock
        self._said: dict[int, str] = {}
        self._said_at = 0.0

    def gather(self, heed: Callable[[object], None], *, first: bool) -> list[Worker]:
        """All workers, or as many as may go on without the others. Raises ClusterError that names the missing."""
        began = self._clock()
        timeout = self._config.cluster.start_timeout_seconds
        patience = timeout if first else min(timeout, FEWER_AFTER_SECONDS)
        self._said, self._said_at = {}, began
        while True:
            missing = {each.index: found for each in self._crew.workers if (found := self._crew.hindrance(each))}
            if not missing:
                log.info("%d workers are there", len(self._crew.workers))
                return list(self._crew.workers)
            waited = self._clock() - began
            self._refuse_for_good(missing)
            if waited > patience and (few := self._fewer(missing)):
                log.warning("going on with %d workers: %s", len(few), self._words(missing))
                return few
            if waited > timeout:
                raise self._error(missing, f"did not come within {timeout:g} s")
            if waited > SAY_AFTER_SECONDS:
                self._say(missing)
            self._crew.replace_ended()
            heed(self._crew.next())

    def clear(
        self,
        members: Sequence[Worker],
        attempt: int,
        grace_seconds: float,
        fresh: bool,
        heed: Callable[[object], None],
    ) -> bool:
        """Ends older ranks on all members; False if one could not, whose pod is then replaced."""
        self._crew.ask(members, do="attempt", attempt=attempt, grace_seconds=grace_seconds, fresh=fresh)
        deadline = self._clock() + grace_seconds + _CLEAR_SECONDS
        while not all(each.cleared >= attempt for each in members):
            stuck = [each for each in members if each.stuck >= attempt or self._crew.hindrance(each)]
            if self._clock() > deadline:
                stuck = [each for each in members if each.cleared < attempt]
            if stuck:
                for each in stuck:
                    log.warning("%s cannot end its older ranks; its pod is replaced", self._place.worker(each.index))
                    self._crew.delete(each, None)
                return False
            heed(self._crew.next())
        return True

    def _refuse_for_good(self, missing: dict[int, Hindrance]) -> None:
        for index, found in missing.items():
            if self._crew.lasting(self._crew.workers[index], found) >= found.patience_seconds:
                raise self._error({index: found}, "cannot start")

    def _fewer(self, missing: dict[int, Hindrance]) -> list[Worker]:
        ready = [each.index for each in self._crew.workers if each.index not in missing]
        chosen = fewer_workers(
            ready,
            self._config.restarts.minimum_workers,
            self._config.train.global_batch_size,
            self._place.ranks_per_worker,
        )
        return [self._crew.workers[index] for index in chosen]

    def _say(self, missing: dict[int, Hindrance]) -> None:
        """Soon what is new, the rest now and then."""
        now = self._clock()
        words = {index: found.text for index, found in missing.items()}
        kinds = {index: text.split(":")[0] for index, text in words.items()}
        silence = SAY_AFTER_SECONDS if kinds != self._said else SAY_AGAIN_SECONDS
        if now - self._said_at > silence:
            self._said, self._said_at = kinds, now
            log.info("waiting for %s", self._words(missing))

    def _words(self, missing: dict[int, Hindrance]) -> str:
        """At most three workers by name: of a hundred, the first causes tell enough."""
        named = [f"{self._place.worker(index)} ({found.text})" for index, found in list(missing.items())[:3]]
        return "; ".join(named) + (f"; and {len(missing) - 3} more" if len(missing) > 3 else "")

    def _error(self, missing: dict[int, Hindrance], rule: str) -> ClusterError:
        names = ", ".join(self._place.worker(index) for index in list(missing)[:8])
        causes = "; ".join(dict.fromkeys(found.text for found in missing.values()))
        return ClusterError("workers", names, f"{rule} ({causes[:1500]})", "cure that, then helm upgrade")
