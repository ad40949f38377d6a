"""One rank's record of the films it used: kept in memory, written to the run's store before each checkpoint."""

import logging
from collections import defaultdict
from typing import NamedTuple

import numpy as np

from trainer.audit.record import FOLDER, Facts, Part, Place
from trainer.config import Config
from trainer.data.evidence import Evidence
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import StoreDown

log = logging.getLogger("cxr_train")

_FILMS_IN_MEMORY = 1_000_000
"""About 20 MB; then what is kept is written without waiting for a checkpoint."""


_HASTE_SECONDS = 5.0
"""Longest wait of a checkpoint in mid-epoch for a store that is down."""


class _Step(NamedTuple):
    step: int
    batch: int
    films: Evidence


class Ledger:
    """The films of this rank's steps, step by step.

    Args:
        facts: who writes.
        hasty: the store of the run's record, which gives up soon when it does not answer.
        patient: the same store, which asks for as long as the settings say.
    """

    def __init__(self, facts: Facts, hasty: Store, patient: Store) -> None:
        self._facts, self._hasty, self._patient = facts, hasty, patient
        self._delivered: Evidence | None = None
        self._kept: dict[int, list[_Step]] = defaultdict(list)
        self._parts = 0
        self._unwritten, self._write_at = 0, _FILMS_IN_MEMORY

    def delivered(self, films: Evidence) -> None:
        """The films of the batch that the loop is given now."""
        self._delivered = films

    def used(self, *, step: int, epoch: int, batch: int) -> None:
        """The batch that was delivered last made an update, the ``step``-th of the run (from 1)."""
        if self._delivered is None:
            raise RuntimeError("a step used a batch that no reader delivered")
        self._kept[epoch].append(_Step(step, batch, self._delivered))
        self._unwritten += len(self._delivered.pixels)
        self._delivered = None
        if self._unwritten >= self._write_at:
            self.write()

    def write(self, *, patient: bool = False) -> bool:
        """Puts on record what is not yet; False if the store is down: it is kept, and goes with the next.

        Raises DataError where the store refuses it for good.
        """
        store = self._patient if patient else self._hasty
        for epoch in sorted(self._kept):
            place = Place(self._facts.attempt, epoch, self._facts.rank, self._parts + 1)
            try:
                store.write(place.name, self._part(epoch).to_bytes())
            except StoreDown as error:
                log.warning("the record of this rank's films is kept for later: %s", error)
                self._write_at = self._unwritten + _FILMS_IN_MEMORY
                return False
            self._parts += 1
            self._unwritten -= sum(len(each.films.pixels) for each in self._kept.pop(epoch))
        self._write_at = _FILMS_IN_MEMORY
        return True

    def _part(self, epoch: int) -> Part:
        steps = self._kept[epoch]
        return Part(
            self._facts,
            epoch,
            step=np.array([each.step for each in steps], dtype=np.int64),
            batch=np.array([each.batch for each in steps], dtype=np.int32),
            shard=np.stack([each.films.slots.shard for each in steps]).astype(np.int32),
            record=np.stack([each.films.slots.record for each in steps]).astype(np.int32),
            weight=np.stack([each.films.slots.weight for each in steps]),
            pixels=np.stack([each.films.pixels for each in steps]),
        )


def open_ledger(config: Config, facts: Facts) -> Ledger:
    """The ledger of a rank, in the folder or bucket of the run."""
    haste = min(_HASTE_SECONDS, config.store.retry_seconds)
    # Within what a job that is told to stop has left.
    patience = min(config.checkpoint.patience_seconds, config.store.retry_seconds)
    hasty, patient = (
        open_store(
            config.checkpoint.directory, config.store.model_copy(update={"retry_seconds": each}), "checkpoint.directory"
        ).under(FOLDER)
        for each in (haste, patience)
    )
    return Ledger(facts, hasty, patient)
