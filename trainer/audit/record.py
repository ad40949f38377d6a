"""A part of a run's record: which films one rank used in some steps of one epoch, as an object of the run's store.

``audit/attempt-000002/epoch-000003-rank-0001-00004.npz`` holds arrays only, no pickle, and no word of any patient:
films stand there as (shard, record) of the set.
"""

import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

FOLDER = "audit"
"""Of the records, in the run's store."""

FORMAT_VERSION = 1

_NAME = re.compile(r"attempt-(\d{6,})/epoch-(\d{6,})-rank-(\d{4,})-(\d{5,})\.npz")
_FORMS = {"step": "<i8", "batch": "<i4", "shard": "<i4", "record": "<i4", "weight": "<f4", "pixels": "<u4"}
_PER_FILM = ("shard", "record", "weight", "pixels")


@dataclass(frozen=True)
class Facts:
    """Who wrote a part. The attempt went on from ``resumed_step`` of attempt ``parent`` (0, 0: from nothing)."""

    attempt: int
    parent: int
    resumed_step: int
    rank: int
    world_size: int
    first_slot: int
    global_batch_size: int
    training_set: str
    """SHA-256 of its manifest."""


class Place(NamedTuple):
    """Where a part stands; parts of a rank are numbered from 1, over all epochs."""

    attempt: int
    epoch: int
    rank: int
    number: int

    @property
    def name(self) -> str:
        """Of the object."""
        return f"attempt-{self.attempt:06d}/epoch-{self.epoch:06d}-rank-{self.rank:04d}-{self.number:05d}.npz"


def place_of(name: str) -> Place | None:
    """The place that an object's name says, or None for another object."""
    match = _NAME.fullmatch(name)
    return Place(*map(int, match.groups())) if match else None


@dataclass(frozen=True)
class Part:
    """Steps of one rank in one epoch: ``step`` (updates done after it) and ``batch`` [b]; of its films [b, n]."""

    facts: Facts
    epoch: int
    step: npt.NDArray[np.int64]
    batch: npt.NDArray[np.int32]
    shard: npt.NDArray[np.int32]
    record: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]
    pixels: npt.NDArray[np.uint32]
    """CRC-32C of each film as it was read."""

    @property
    def slots(self) -> range:
        """The rank's slots of the global batch."""
        return range(self.facts.first_slot, self.facts.first_slot + self.shard.shape[1])

    def between(self, after: int, last: int) -> "Part":
        """The steps ``after`` (exclusive) to ``last`` (inclusive) alone."""
        kept = (self.step > after) & (self.step <= last)
        return Part(self.facts, self.epoch, **{name: getattr(self, name)[kept] for name in _FORMS})

    def to_bytes(self) -> bytes:
        """As an npz file."""
        facts = json.dumps({"format_version": FORMAT_VERSION, "epoch": self.epoch, **asdict(self.facts)})
        arrays = {name: np.asarray(getattr(self, name), dtype=form) for name, form in _FORMS.items()}
        stream = io.BytesIO()
        np.savez_compressed(stream, facts=np.frombuffer(facts.encode(), dtype=np.uint8), **arrays)
        return stream.getvalue()


def part_from_bytes(content: bytes, name: str) -> Part:
    """What ``to_bytes`` made; raises DataError that names the object if it is damaged or of a newer format."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as found:
            facts = json.loads(found["facts"].tobytes())
            version, epoch = facts.pop("format_version"), facts.pop("epoch")
            if version != FORMAT_VERSION:
                raise ValueError(f"format version {version}")
            part = Part(Facts(**facts), epoch, **{each: _checked(each, found[each]) for each in _FORMS})
        if not (len(part.step) == len(part.batch) and _same_shape(part)):
            raise ValueError("rows do not fit together")
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError("audit", name, f"is damaged ({reason})", "restore it, or audit another run") from error
    return part


def _checked(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    dimensions = 2 if name in _PER_FILM else 1
    if array.dtype != np.dtype(_FORMS[name]) or array.ndim != dimensions:
        raise ValueError(f"{name} is {array.dtype} of {array.ndim} dimensions")
    return array


def _same_shape(part: Part) -> bool:
    shapes: Sequence[tuple[int, ...]] = [getattr(part, name).shape for name in _PER_FILM]
    return len(set(shapes)) == 1 and shapes[0][0] == len(part.step)
