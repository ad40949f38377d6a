"""Writes checkpoints in the background, and deletes those that are no longer kept."""

import threading
from pathlib import Path

from safetensors import SafetensorError

from trainer.checkpoint.attempt import Attempt, unwritable
from trainer.checkpoint.files import (
    BEST,
    Checkpoint,
    Commit,
    as_json,
    commit,
    discard,
    in_order,
    is_committed,
    left_behind,
    pointed_at,
)
from trainer.durable import write_durably
from trainer.errors import CxrError


class Writer:
    """Writes checkpoints in a thread of its own, one at a time; only rank 0 has one.

    An error of the thread is raised by the next call, so that none is lost.
    """

    def __init__(self, directory: Path, attempt: Attempt, keep_last: int) -> None:
        self._directory, self._attempt, self._keep_last = directory, attempt, keep_last
        self._thread: threading.Thread | None = None
        self._outcome: Commit | BaseException | None = None

    def start(self, checkpoint: Checkpoint, *, best: bool = False) -> Commit | None:
        """Begins writing; waits for the one before. ``best`` also points best.json at it. Returns that one's Commit."""
        before = self.wait()
        self._thread = threading.Thread(target=self._run, args=(checkpoint, best), name="checkpoint")
        self._thread.start()
        return before

    def finished(self) -> Commit | None:
        """The Commit of what was begun, once it is done; never waits. Raises what hindered it."""
        return None if self._thread is None or self._thread.is_alive() else self.wait()

    def wait(self) -> Commit | None:
        """Waits until what was begun is committed; raises what hindered it. None if nothing was under way."""
        if self._thread is None:
            return None
        self._thread.join()
        outcome, self._thread, self._outcome = self._outcome, None, None
        if isinstance(outcome, OSError | SafetensorError):
            raise unwritable(self._directory, outcome) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _run(self, checkpoint: Checkpoint, best: bool) -> None:
        try:
            self._outcome = commit(self._directory, checkpoint, self._attempt)
            if best:
                write_durably(self._directory / BEST, as_json({"checkpoint": self._outcome.folder.name}))
            _retain(self._directory, self._outcome.folder, self._keep_last, self._attempt)
        except (CxrError, OSError, SafetensorError) as error:
            self._outcome = error


def _retain(directory: Path, written: Path, keep_last: int, attempt: Attempt) -> None:
    """Deletes all but the newest ``keep_last`` up to ``written``, and the best.

    One that is newer than what was just written did not verify when the run went on from before it.
    """
    folders = in_order(directory)
    committed = [each for each in folders if each.name <= written.name and is_committed(each)]
    kept = {*committed[:keep_last], pointed_at(directory)}
    for folder in {*folders, *left_behind(directory, attempt)} - kept:
        discard(folder)
