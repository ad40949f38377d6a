"""Which film fills which slot of which batch. Pure: a function of the seed, the epoch and the shards' sizes alone.

An epoch shuffles the shards, and the films within a window of shards. That order is cut into as many equal lanes
as the global batch has slots, and batch ``b`` takes film ``b`` of every lane. The number of ranks is not in it:
a rank takes a contiguous run of slots, so it needs only the shards that its lanes run through.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_RECORD_BITS = 32
_RECORD_MASK = 2**_RECORD_BITS - 1

_BLOCK_BATCHES = 16
"""Whose slots are found together: for one batch at a time, calling numpy takes longer than what it computes."""

_BLOCKS = 4


class Slots(NamedTuple):
    """Films for a run of slots: ``shard`` and ``record`` int64 [n], ``weight`` float32 [n] (0: repeated to fill)."""

    shard: Integers
    record: Integers
    weight: npt.NDArray[np.float32]

    def places(self) -> tuple[list[int], list[int]]:
        """Shards and records as Python's integers, which index lists faster than numpy's."""
        return self.shard.tolist(), self.record.tolist()


class Need(NamedTuple):
    """A shard that a reader needs: in which batch it does so first, and in which last."""

    shard: int
    first: int
    last: int


class EpochPlan:
    """The plan of one training epoch.

    Memory is a few numbers a shard and the films of the windows in use, whatever the number of films.
    """

    def __init__(
        self, records_per_shard: Sequence[int], *, seed: int, epoch: int, global_batch_size: int, window_shards: int
    ) -> None:
        self._seed, self._epoch = seed, epoch
        self._records = np.asarray(records_per_shard, dtype=np.int64)
        self.films = int(self._records.sum())
        self.batches = -(-self.films // global_batch_size)
        self._shards = _generator(seed, epoch, "shards").permutation(len(self._records))
        self._windows = [self._shards[i : i + window_shards] for i in range(0, len(self._shards), window_shards)]
        sizes = [int(self._records[window].sum()) for window in self._windows]
        self._window_starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._lanes = _lane_starts(self.films, global_batch_size)
        # Neighbouring lanes run through different windows; each is shuffled once while it is in use.
        self._window = lru_cache(maxsize=2 * global_batch_size)(self._shuffled_window)
        self._block = lru_cache(maxsize=_BLOCKS)(self._block_of_slots)

    def slots(self, batch: int, wanted: range) -> Slots:
        """The films of batch ``batch`` for the run of slots ``wanted``."""
        block, row = divmod(batch, _BLOCK_BATCHES)
        shard, record, weight = self._block(block, wanted)
        return Slots(shard[row], record[row], weight[row])

    def needs(self, wanted: range, first_batch: int = 0) -> list[Need]:
        """The shards that the run of slots needs from batch ``first_batch`` on, in the order of their first use."""
        firsts = np.full(len(self._records), self.batches)
        lasts = np.full(len(self._records), -1)
        starts = self._lanes[wanted.start : wanted.stop + 1]
        first_window = int(np.searchsorted(self._window_starts, starts[0], side="right")) - 1
        past_window = int(np.searchsorted(self._window_starts, starts[-1], side="left"))
        for window in range(first_window, past_window):
            start, stop = self._window_starts[window : window + 2]
            positions = np.arange(max(start, starts[0]), min(stop, starts[-1]))
            batches = positions - starts[np.searchsorted(starts, positions, side="right") - 1]
            later = batches >= first_batch
            if later.any():
                shards = self._shuffled_window(window)[positions[later] - start] >> _RECORD_BITS
                np.minimum.at(firsts, shards, batches[later])
                np.maximum.at(lasts, shards, batches[later])
        # Films that are repeated to fill a batch.
        for batch in range(max(first_batch, self.films // (len(self._lanes) - 1)), self.batches):
            shards, _ = self._locate(self._positions(np.array([batch]), wanted)[0][0])
            np.minimum.at(firsts, shards, batch)
            np.maximum.at(lasts, shards, batch)
        needed = np.flatnonzero(lasts >= 0)
        in_order = needed[np.lexsort((lasts[needed], firsts[needed]))]
        return list(map(Need, in_order.tolist(), firsts[in_order].tolist(), lasts[in_order].tolist()))

    def next_epoch(self) -> "EpochPlan":
        """The plan of the epoch after this."""
        return EpochPlan(
            self._records.tolist(),
            seed=self._seed,
            epoch=self._epoch + 1,
            global_batch_size=len(self._lanes) - 1,
            window_shards=len(self._windows[0]),
        )

    def _block_of_slots(self, block: int, wanted: range) -> tuple[Integers, Integers, npt.NDArray[np.float32]]:
        """Shards, records and weights of batches that follow each other, [batches, slots]."""
        first = block * _BLOCK_BATCHES
        positions, real = self._positions(np.arange(first, min(first + _BLOCK_BATCHES, self.batches)), wanted)
        shard, record = self._locate(positions.reshape(-1))
        return shard.reshape(real.shape), record.reshape(real.shape), real.astype(np.float32)

    def _positions(self, batches: Integers, wanted: range) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """Places in the epoch's order, and which films are not repeated to fill a batch, both [batches, slots]."""
        lane_start = self._lanes[wanted.start : wanted.stop]
        lane_films = self._lanes[wanted.start + 1 : wanted.stop + 1] - lane_start
        real = batches[:, None] < lane_films
        # A lane that has run out repeats its last film; one that never had a film, its neighbour's.
        return (lane_start + np.where(real, batches[:, None], lane_films - 1)) % self.films, real

    def _locate(self, positions: Integers) -> tuple[Integers, Integers]:
        windows = np.searchsorted(self._window_starts, positions, side="right") - 1
        within = positions - self._window_starts[windows]
        films = np.array(
            [self._window(window)[place] for window, place in zip(windows.tolist(), within.tolist(), strict=True)],
            dtype=np.int64,
        )
        return films >> _RECORD_BITS, films & _RECORD_MASK

    def _shuffled_window(self, window: int) -> Integers:
        """Every film of one window in the epoch's order, int64 [films]: the shard above, the record below 2^32."""
        films = np.concatenate([(s << _RECORD_BITS) + np.arange(self._records[s]) for s in self._windows[window]])
        return _generator(self._seed, self._epoch, f"window {window}").permutation(films)


def scoring_batch(records_per_shard: Sequence[int], batch: int, batch_size: int) -> Slots:
    """Batch ``batch`` of a scoring pass: films in the set's order, the last batch filled by repeating its last film.

    Its composition depends on the set and the batch size only; ranks take whole batches.
    """
    total = int(sum(records_per_shard))
    films = np.arange(batch * batch_size, (batch + 1) * batch_size, dtype=np.int64)
    weight = (films < total).astype(np.float32)
    return chosen_films(records_per_shard, np.minimum(films, total - 1))._replace(weight=weight)


def chosen_films(records_per_shard: Sequence[int], films: Integers) -> Slots:
    """Films by their places in the set's order, int64 [n], from 0."""
    ends = np.cumsum(np.asarray(records_per_shard, dtype=np.int64))
    shard = np.searchsorted(ends, films, side="right")
    start = np.concatenate([[0], ends])[shard]
    return Slots(shard, films - start, np.ones(len(films), np.float32))


def scoring_needs(records_per_shard: Sequence[int], batches: range, batch_size: int) -> list[Need]:
    """The shards that these batches of a scoring pass need, in the order of their first use."""
    ends = np.cumsum(np.asarray(records_per_shard, dtype=np.int64))
    starts = np.asarray(batches, dtype=np.int64) * batch_size
    last_films = np.minimum(starts + batch_size, ends[-1]) - 1
    first_shards = np.searchsorted(ends, np.minimum(starts, ends[-1] - 1), side="right")
    last_shards = np.searchsorted(ends, last_films, side="right")
    firsts, lasts = dict[int, int](), dict[int, int]()
    for batch, first, last in zip(batches, first_shards.tolist(), last_shards.tolist(), strict=True):
        for shard in range(first, last + 1):
            firsts.setdefault(shard, batch)
            lasts[shard] = batch
    return [Need(shard, first, lasts[shard]) for shard, first in firsts.items()]


def random_key(seed: int, epoch: int, batch: int, purpose: str) -> npt.NDArray[np.int32]:
    """Key int32 [2] of a stateless generator: what is drawn for a batch depends on nothing else."""
    return np.frombuffer(_digest(seed, epoch, f"{purpose} {batch}")[:8], dtype="<i4")


def _lane_starts(films: int, lanes: int) -> Integers:
    """Where each lane starts, int64 [lanes + 1]; the lanes that are one film longer are spread evenly over all."""
    whole, rest = divmod(films, lanes)
    lane = np.arange(lanes + 1, dtype=np.int64)
    return lane * whole + lane * rest // lanes


def _generator(seed: int, epoch: int, purpose: str) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, epoch, purpose), "little")))


def _digest(seed: int, epoch: int, purpose: str) -> bytes:
    return hashlib.blake2b(f"{seed}/{epoch}/{purpose}".encode(), digest_size=16).digest()
