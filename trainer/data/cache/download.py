"""One shard from a store into a file: large ranges, hashed and written as they come, without a copy."""

import hashlib
import os
import threading
from typing import TYPE_CHECKING, BinaryIO

from trainer.data.cache.tally import Tell
from trainer.data.store.store import Range, Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

_RANGE_BYTES = 16 * 2**20
"""Asked for at a time, of one shard; several shards come side by side."""


class AbandonedError(Exception):
    """Nobody wants the shard any more."""


def download(store: Store, name: str, size: int, file: BinaryIO, abandoned: threading.Event, tell: Tell) -> str:
    """Fills the file with an object of ``size`` bytes; its SHA-256. Raises AbandonedError, or as the store does."""
    digest, done = hashlib.sha256(), 0

    def take(start: int, content: "Buffer") -> None:
        nonlocal done, digest
        if abandoned.is_set():
            raise AbandonedError
        view = memoryview(content)
        tell("fetched_bytes", view.nbytes)
        if start != done:
            # The store has begun a part anew: what is there is hashed again.
            digest = _hash_of(file.fileno(), start)
        digest.update(view)
        _write(file.fileno(), view, start)
        done = start + view.nbytes

    for start in range(0, size, _RANGE_BYTES):
        store.stream(name, Range(start, min(start + _RANGE_BYTES, size)), take)
    return digest.hexdigest()


def _hash_of(file: int, size: int) -> "hashlib._Hash":
    digest = hashlib.sha256()
    for start in range(0, size, _RANGE_BYTES):
        digest.update(os.pread(file, min(_RANGE_BYTES, size - start), start))
    return digest


def _write(file: int, rest: memoryview, start: int) -> None:
    while rest.nbytes:
        written = os.pwrite(file, rest, start)
        rest, start = rest[written:], start + written
