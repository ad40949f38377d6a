"""One shard from a store into a file: large ranges, some at a time, hashed while they come."""

import hashlib
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

from trainer.data.cache.tally import Tell
from trainer.data.store.store import Range, Store

_RANGE_BYTES = 8 * 2**20
_RANGES = 2
"""Asked for at a time; several shards come side by side."""


class AbandonedError(Exception):
    """Nobody wants the shard any more."""


def download(store: Store, name: str, size: int, file: BinaryIO, abandoned: threading.Event, tell: Tell) -> str:
    """Fills the file with an object of ``size`` bytes; its SHA-256. Raises AbandonedError, or as the store does."""
    digest = hashlib.sha256()
    for ranges in _groups(size):
        if abandoned.is_set():
            raise AbandonedError
        for part, content in zip(ranges, store.read_ranges(name, ranges), strict=True):
            digest.update(content)
            _write(file.fileno(), content, part.start)
            tell("fetched_bytes", part.bytes)
    return digest.hexdigest()


def _groups(size: int) -> Iterator[list[Range]]:
    starts = range(0, size, _RANGE_BYTES)
    ranges = [Range(start, min(start + _RANGE_BYTES, size)) for start in starts]
    return (ranges[first : first + _RANGES] for first in range(0, len(ranges), _RANGES))


def _write(file: int, content: bytes, start: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(file, rest, start)
        rest, start = rest[written:], start + written
