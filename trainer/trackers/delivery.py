"""A tracker's thread: it reads on in the run's history, and tries again what the tracker did not take.

There is no queue to overflow: rows wait where the run keeps them anyway, and a tracker that was away catches up.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from trainer.checkpoint.history import Row
from trainer.errors import CxrError
from trainer.trackers.tracker import Outcome, Pictures, Tracker

log = logging.getLogger("cxr_train")

ROWS_AT_ONCE = 40
_BETWEEN_SECONDS = 1.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0


class News(NamedTuple):
    """Failures since the last look, and rows that are still to be told."""

    failures: int
    pending: int


class Delivery:
    """Tells a tracker of a history that grows. Nothing here raises, or waits, but ``end``, which waits so long.

    Args:
        tracker: to be told.
        rows: of the history, only ever added to.
        patience_seconds: that ``end`` waits.
    """

    def __init__(self, tracker: Tracker, rows: Sequence[Row], patience_seconds: float) -> None:
        self._tracker, self._rows, self._patience_seconds = tracker, rows, patience_seconds
        self._told, self._failures, self._counted = 0, 0, 0
        self._begun = self._away = self._ended = False
        self._pictures: Pictures | None = None
        self._outcome: Outcome | None = None
        self._something, self._ending = threading.Event(), threading.Event()
        # A daemon: whatever a tracker hangs in must not hold the process.
        self._thread = threading.Thread(target=self._work, name=f"tracker-{tracker.name}", daemon=True)
        self._something.set()
        self._thread.start()

    def wake(self) -> None:
        """There are new rows."""
        self._something.set()

    def show(self, pictures: Pictures) -> None:
        """Films as the run's first step sees them."""
        self._pictures = pictures
        self._something.set()

    def news(self) -> News:
        """To be asked now and then, by one thread."""
        failures = self._failures - self._counted
        self._counted += failures
        return News(failures, len(self._rows) - self._told)

    def end(self, outcome: Outcome) -> None:
        """Tells of the end, and waits until all is told, or patience is over."""
        self._outcome = outcome
        self._ending.set()
        self._something.set()
        self._thread.join(self._patience_seconds)
        if not self._ended:
            left = len(self._rows) - self._told
            log.warning("%s was not told all of the run: %d rows are left", self._tracker.name, left)

    def _work(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        deadline = None
        while deadline is None or time.monotonic() < deadline:
            self._something.wait()
            self._something.clear()
            outcome = self._outcome
            if outcome and deadline is None:
                deadline = time.monotonic() + self._patience_seconds
            try:
                self._catch_up(outcome)
            # Whatever a tracker raises is its own affair: a run that learns is worth more than its curves.
            except Exception as error:
                self._failed(error)
                self._something.set()
                if outcome:
                    time.sleep(_FIRST_PAUSE_SECONDS)
                self._ending.wait(pause)
                pause = min(2.0 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                self._took()
                pause = _FIRST_PAUSE_SECONDS
                self._ended = bool(outcome)
                if outcome:
                    return
                self._ending.wait(_BETWEEN_SECONDS)

    def _catch_up(self, outcome: Outcome | None) -> None:
        if not self._begun:
            self._told = 0
            self._tracker.begin()
            self._begun = True
        while rows := self._rows[self._told : self._told + ROWS_AT_ONCE]:
            self._tracker.tell(rows)
            self._told += len(rows)
        if pictures := self._pictures:
            # Tried once: pictures that cannot be made shall not keep rows from being told.
            self._pictures = None
            self._tracker.show(pictures)
        if outcome:
            self._tracker.end(outcome)

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._begun = False
        if not self._away:
            said = str(error) if isinstance(error, CxrError) else f"{type(error).__name__}: {error}"
            log.warning("%s takes nothing; the run goes on, and asks again: %s", self._tracker.name, _one_line(said))
        self._away = True

    def _took(self) -> None:
        if self._away:
            log.info("%s has been told all that it missed", self._tracker.name)
        self._away = False


def _one_line(text: str, longest: int = 300) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= longest else f"{joined[:longest]}..."
