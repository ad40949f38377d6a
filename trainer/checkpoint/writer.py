"""Writes checkpoints in the background; a store that is away for a while is asked again, and training goes on."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.outbox import Outbox, Waiting
from trainer.checkpoint.reading import committed, manifest
from trainer.checkpoint.retention import Kept, kept
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import Commit, commit, discard
from trainer.config import CheckpointConfig
from trainer.data.store.store import Store
from trainer.errors import StoreDown

log = logging.getLogger("cxr_train")

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 30.0


@dataclass
class News:
    """What has happened since it was last asked."""

    commits: list[Commit] = field(default_factory=list)
    failures: int = 0
    pending: int = 0
    """Snapshots that are not committed yet."""
    refused: Exception | None = None
    """What no waiting will mend."""


@dataclass(frozen=True)
class _Outage:
    began: float
    wait_seconds: float
    again_at: float


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
        self._changed = threading.Condition()
        self._outbox = Outbox()
        self._outage: _Outage | None = None
        self._committed_step: int | None = None
        self._news = News()
        self._closed = False
        self._known: dict[Mark, Kept] = {}
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

    # ---- In the thread ----

    def _run(self) -> None:
        while one := self._next():
            try:
                done = commit(self._store, one.snapshot, one.history, self._attempt)
                self._told_of_success(done)
                self._retain(done.mark, one.snapshot.state)
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

    def _retain(self, written: Mark, state: State) -> None:
        try:
            self._delete_what_is_not_kept(written, state)
        except StoreDown as error:
            log.warning("older checkpoints stay until the next one is written: %s", error)

    def _delete_what_is_not_kept(self, written: Mark, state: State) -> None:
        """And what writers of this and older attempts have left unfinished."""
        entries = list(self._store.entries())
        there = {mark: self._facts(mark) for mark in committed(entries) if mark <= written}
        stays = kept(
            there.values(),
            Mark.named(state.best),
            last=self._config.keep_last,
            every_epochs=self._config.keep_every_epochs,
        )
        self._attempt.refuse_if_older()
        for folder in sorted({each.name.partition("/")[0] for each in entries}):
            mark = Mark.named(folder)
            if mark and mark not in stays and mark.attempt <= self._attempt.number:
                discard(self._store, folder, [each.name for each in entries if each.name.startswith(f"{folder}/")])

    def _facts(self, mark: Mark) -> Kept:
        if mark not in self._known:
            found = manifest(self._store, mark)
            self._known[mark] = Kept(mark, found.epoch, found.batch)
        return self._known[mark]

    # ---- What it tells ----

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
            before = self._outage
            wait = min(2 * before.wait_seconds, _LONGEST_WAIT_SECONDS) if before else _FIRST_WAIT_SECONDS
            now = self._clock()
            if before is None:
                log.warning("the checkpoint of step %d has to wait, training goes on: %s", one.step, error)
            self._outage = _Outage(before.began if before else now, wait, now + wait)
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
