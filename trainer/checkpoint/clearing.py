"""Deletes checkpoints that are no longer kept, and what writers that were killed have left unfinished."""

from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import committed, manifest
from trainer.checkpoint.retention import Kept, kept
from trainer.checkpoint.snapshot import State
from trainer.checkpoint.writing import discard
from trainer.config import CheckpointConfig
from trainer.data.store.store import Store


class Clearing:
    """Clears a run's store on behalf of the attempt that writes it. Reads each manifest once."""

    def __init__(self, store: Store, attempt: Attempt, config: CheckpointConfig) -> None:
        self._store, self._attempt, self._config = store, attempt, config
        self._known: dict[Mark, Kept] = {}

    def after(self, written: Mark, state: State) -> None:
        """Once ``written`` is committed: leaves what is kept, and what newer attempts write.

        Raises DataError if there is one, StoreDown; what is left then goes the next time.
        """
        entries = list(self._store.entries())
        stays = kept(
            [self._facts(mark) for mark in committed(entries) if mark <= written],
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
