"""Counts one epoch: which films were seen how often, which slots were filled, and what is wrong with it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.audit.record import Part

Integers = npt.NDArray[np.int64]

FIRST = 5
"""Offenders of a kind that are named."""

Verdict = Literal["once each", "unfinished", "not on record", "WRONG"]


class Layout(NamedTuple):
    """A set and a run's batches: ``starts`` int64 [shards + 1], the number of each shard's first film in the set."""

    starts: Integers
    global_batch_size: int

    @classmethod
    def of(cls, records_per_shard: Sequence[int], global_batch_size: int) -> "Layout":
        """Of the shards' sizes."""
        ends = np.cumsum(np.asarray(records_per_shard, dtype=np.int64))
        return cls(np.concatenate([np.zeros(1, np.int64), ends]), global_batch_size)

    @property
    def films(self) -> int:
        """Of the set."""
        return int(self.starts[-1])

    @property
    def batches(self) -> int:
        """Of an epoch."""
        return -(-self.films // self.global_batch_size)

    def numbers(self, shard: npt.NDArray[Any], record: npt.NDArray[Any]) -> Integers:
        """The films' numbers in the set, -1 where the set has no such film."""
        known = (shard >= 0) & (shard < len(self.starts) - 1) & (record >= 0)
        start, end = self.starts[np.where(known, shard, 0)], self.starts[np.where(known, shard + 1, 0)]
        found: Integers = np.where(known & (record < end - start), start + record, -1)
        return found

    def place(self, film: int) -> tuple[int, int]:
        """Shard and record of a film."""
        shard = int(np.searchsorted(self.starts, film, side="right")) - 1
        return shard, film - int(self.starts[shard])


class Checksums:
    """The first checksum of each film's pixels that was met, over all epochs: 5 bytes a film."""

    def __init__(self, films: int) -> None:
        self.met = np.zeros(films, dtype=np.bool_)
        self.pixels = np.zeros(films, dtype=np.uint32)

    def differ(self, films: Integers, pixels: npt.NDArray[np.uint32]) -> Integers:
        """Meets films; those whose pixels were others before."""
        new = ~self.met[films]
        self.pixels[films[new]] = pixels[new]
        self.met[films] = True
        others: Integers = films[self.pixels[films] != pixels]
        return others


class Use(NamedTuple):
    """One slot of one batch, as it is on record; ``film`` is -1 for one that the set does not hold."""

    film: int
    batch: int
    slot: int
    weight: float
    attempt: int
    rank: int
    world_size: int

    def __str__(self) -> str:
        return (
            f"batch {self.batch} slot {self.slot} (rank {self.rank} of {self.world_size}, "
            f"attempt {self.attempt}, weight {self.weight:g})"
        )


def uses(part: Part, wanted: npt.NDArray[np.bool_], films: Integers) -> list[Use]:
    """The slots of a part that ``wanted`` [b, n] marks; ``films`` [b, n] are their films."""
    facts = part.facts
    return [
        Use(
            int(films[row, column]),
            int(part.batch[row]),
            facts.first_slot + int(column),
            float(part.weight[row, column]),
            facts.attempt,
            facts.rank,
            facts.world_size,
        )
        for row, column in np.argwhere(wanted)[:FIRST]
    ]


@dataclass(frozen=True)
class EpochCount:
    """What an epoch's record shows. Films are numbers in the set, slots ``batch * global_batch_size + slot``."""

    epoch: int
    batches: int
    batches_done: int
    films: int
    once: int
    padding: int
    undone: int
    """Steps on record that a resume undid."""
    attempts: tuple[int, ...]
    world_sizes: tuple[int, ...]
    missing: Integers
    twice: Integers
    unfilled: Integers
    overfilled: Integers
    other_pixels: Integers
    odd: tuple[Use, ...]
    """Of a film that the set does not hold, a weight neither 0 nor 1, or in a step or slot that is not the batch's."""

    @property
    def is_finished(self) -> bool:
        """Whether a checkpoint after its last batch is committed."""
        return self.batches_done == self.batches

    @property
    def verdict(self) -> Verdict:
        """Missing films prove no mistake where the slots that may have held them are not on record."""
        wrong = len(self.twice) + len(self.overfilled) + len(self.other_pixels) + len(self.odd)
        if wrong or len(self.missing) > len(self.unfilled):
            return "WRONG"
        if len(self.unfilled):
            return "not on record"
        return "once each" if self.is_finished else "unfinished"


class Tally:
    """Takes the parts of one epoch, of which ``batches_done`` are committed, one after the other."""

    def __init__(self, layout: Layout, checksums: Checksums, *, epoch: int, batches_done: int) -> None:
        self._layout, self._checksums = layout, checksums
        self._epoch, self._batches_done = epoch, batches_done
        self._seen = np.zeros(layout.films, dtype=np.uint16)
        self._filled = np.zeros(layout.batches * layout.global_batch_size, dtype=np.uint16)
        self._padding = self._undone = 0
        self._attempts: list[int] = []
        self._world_sizes: list[int] = []
        self._other_pixels: list[Integers] = [np.zeros(0, dtype=np.int64)]
        self._odd: list[Use] = []

    def add(self, part: Part, *, undone: int = 0) -> None:
        """Counts the steps of a part; ``undone`` more of it were undone."""
        self._undone += undone
        if not len(part.step):
            return
        films = self._layout.numbers(part.shard, part.record)
        self._fill(part, films)
        self._odd += uses(part, (films < 0) | ((part.weight != 0) & (part.weight != 1)), films)
        np.add.at(self._seen, films[(films >= 0) & (part.weight == 1)], 1)
        self._padding += int(np.count_nonzero(part.weight == 0))
        known = films >= 0
        self._other_pixels.append(self._checksums.differ(films[known], part.pixels[known]))
        self._attempts.append(part.facts.attempt)
        self._world_sizes.append(part.facts.world_size)

    def _fill(self, part: Part, films: Integers) -> None:
        slots = np.asarray(part.slots, dtype=np.int64)
        own_step = self._epoch * self._layout.batches + part.batch + 1
        fits = (part.batch >= 0) & (part.batch < self._batches_done) & (part.step == own_step)
        fits = fits[:, np.newaxis] & (slots < self._layout.global_batch_size)
        filled = part.batch.astype(np.int64)[:, np.newaxis] * self._layout.global_batch_size + slots
        np.add.at(self._filled, filled[fits], 1)
        self._odd += uses(part, ~fits, films)

    def count(self) -> EpochCount:
        """What all parts together show."""
        done = self._filled[: self._batches_done * self._layout.global_batch_size]
        finished = self._batches_done == self._layout.batches
        return EpochCount(
            epoch=self._epoch,
            batches=self._layout.batches,
            batches_done=self._batches_done,
            films=self._layout.films,
            once=int(np.count_nonzero(self._seen == 1)),
            padding=self._padding,
            undone=self._undone,
            attempts=tuple(sorted(set(self._attempts))),
            world_sizes=tuple(dict.fromkeys(self._world_sizes)),
            missing=np.flatnonzero(self._seen == 0) if finished else np.zeros(0, dtype=np.int64),
            twice=np.flatnonzero(self._seen > 1),
            unfilled=np.flatnonzero(done == 0),
            overfilled=np.flatnonzero(self._filled > 1),
            other_pixels=np.unique(np.concatenate(self._other_pixels)),
            odd=tuple(self._odd[:FIRST]),
        )
