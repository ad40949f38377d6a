"""Writes checkpoints in the background; a store that is away for a while is asked again, and training goes on."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.clearing import Clearing
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.outage import Outage
from trainer.checkpoint.outbox import Outbox, Waiting
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import Commit, commit
from trainer.config import CheckpointConfig
from trainer.data.store.store import Store
from trainer.errors import StoreDown

log = logging.getLogger("cxr_train")


@dataclass
class News:
    """What has happened since it was last asked."""

    commits: list[Commit] = field(default_factory=list)
    failures: int = 0
    pending: int = 0
    """Snapshots that are not committed yet."""
    refused: Exception | None = None
    """What no waiting will mend."""


class Writer:
    """Writes checkpoints in a thread of its own, the oldest first; only rank 0 has one.

    Args:
        store: of the run; it should give up on a store that is down within seconds, because the writer asks again.
        clock: seconds.
    """

    def __init__(
        self, store: Store, attempt: Attempt, config: CheckpointConfig, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._attempt, self._config, self._clock = store, attempt, config, clock
        self._clearing = Clearing(store, attempt, config)
        self._changed = threading.Condition()
        self._outbox = Outbox()
        self._outage: Outage | None = None
        self._committed_step: int | None = None
        self._news = News()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def save(self, snapshot: Snapshot, history: bytes) -> None:
        """Has it written, with the run's history up to it. Waits for a slow store, never for one that is down."""
        with self._changed:
            self._changed.wait_for(lambda: not self._outbox.is_full or self._outage or self._news.refused)
            self._outbox.put(Waiting(snapshot, history))
            self._changed.notify_all()

    def news(self) -> News:
        """What has happened; never waits."""
        with self._changed:
            news, self._news = self._news, News(refused=self._news.refused)
            news.pending = len(self._outbox)
            return news

    def finish(self) -> None:
        """Waits until all is written, for a store that is down no longer than ``checkpoint.patience_seconds``.

        Raises StoreDown, which names what is not saved. What hinders for good is told by ``news``.
        """
        deadline = self._clock() + self._config.patience_seconds
        with self._changed:
            while len(self._outbox) and not self._news.refused:
                if self._outage and self._clock() >= deadline:
                    raise self._unsaved()
                self._changed.wait(max(0.05, min(1.0, deadline - self._clock())))

    def close(self) -> None:
        """Writes nothing more; does not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while one := self._next():
            try:
                done = commit(self._store, one.snapshot, one.history, self._attempt)
                self._told_of_success(done)
                self._clear(done.mark, one.snapshot.state)
                self._done_with(one)
            except StoreDown as error:
                self._told_of_outage(one, error)
            except Exception as error:
                self._told_of_refusal(error)
                return

    def _next(self) -> Waiting | None:
        """The oldest that waits, once the store is to be asked again."""
        with self._changed:
            while not self._closed:
                one = self._outbox.first()
                wait = self._outage.again_at - self._clock() if self._outage else 0.0
                if one and wait <= 0:
                    return one
                self._changed.wait(min(wait, 1.0) if one else None)
        return None

    def _clear(self, written: Mark, state: State) -> None:
        try:
            self._clearing.after(written, state)
        except StoreDown as error:
            log.warning("older checkpoints stay until the next one is written: %s", error)

    def _told_of_success(self, done: Commit) -> None:
        with self._changed:
            if self._outage:
                away = self._clock() - self._outage.began
                log.info("the store is back after %.0f s: step %d is committed", away, done.mark.step)
            self._outage, self._committed_step = None, done.mark.step
            self._news.commits.append(done)

    def _done_with(self, one: Waiting) -> None:
        with self._changed:
            self._outbox.remove(one)
            self._changed.notify_all()

    def _told_of_outage(self, one: Waiting, error: StoreDown) -> None:
        with self._changed:
            now = self._clock()
            if self._outage is None:
                log.warning("the checkpoint of step %d has to wait, training goes on: %s", one.step, error)
            self._outage = self._outage.goes_on(now) if self._outage else Outage.begins(now)
            self._news.failures += 1
            self._changed.notify_all()

    def _told_of_refusal(self, error: Exception) -> None:
        with self._changed:
            self._news.failures += 1
            self._news.refused = error
            self._changed.notify_all()

    def _unsaved(self) -> StoreDown:
        steps = " and ".join(map(str, self._outbox.steps()))
        known = "nothing" if self._committed_step is None else f"step {self._committed_step}"
        return StoreDown(
            self._store.key,
            self._store.where,
            f"has not taken the checkpoint of step {steps} within {self._config.patience_seconds:g} s; "
            f"{known} is committed by this attempt",
            "start again once it answers, or raise checkpoint.patience_seconds",
        )
