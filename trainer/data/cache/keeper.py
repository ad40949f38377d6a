"""Who brings a shard within reach: what the ways have in common."""

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import BinaryIO, NamedTuple

from trainer.data.cache.tally import Tell
from trainer.data.film.images import Pixels
from trainer.data.shard.index import ShardIndex, index_name
from trainer.data.shard.manifest import Manifest, ShardInfo, sha256_of
from trainer.data.shard.shard import Shard, check_index
from trainer.data.store.store import NotThere, Range, Store

TRIES = 2
"""At an object with another hash: what was damaged on the way comes whole the second time."""


class Brought(NamedTuple):
    """A shard within reach, for as long as it is not let go."""

    shard: Shard
    let_go: Callable[[], None]


class Keeper(ABC):
    """Brings shards of a set within reach; safe to share between threads.

    Args:
        store: of the set.
        manifest: of the set.
    """

    threads: int
    """Shards brought at a time."""
    budget_bytes: float
    """Of shards kept within reach at a time."""
    tell: Tell

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.store, self.manifest = store, manifest
        self._hashes: dict[tuple[int, ...], str] = {}
        self.abandoned = threading.Event()

    @abstractmethod
    def bring(self, shard: int) -> Brought:
        """The whole shard, checked. Raises DataError, StoreDown, NoRoomError, AbandonedError."""

    @abstractmethod
    def index(self, shard: int) -> ShardIndex:
        """Its index, checked. Raises DataError, StoreDown."""

    def records(self, shard: int, ranges: Sequence[Range], *, again: bool) -> list[bytes]:
        """Parts of the shard, unchecked; ``again`` after they were damaged. Raises as the store does."""
        del again
        return self.store.read_ranges(self.manifest.shards[shard].name, ranges)

    @abstractmethod
    def plan(self, shards: Sequence[int]) -> None:
        """Told of what will be needed, in that order."""

    @abstractmethod
    def done(self, shard: int) -> None:
        """Told of a shard that has been read to its end."""

    def where(self, shard: int) -> str:
        """The shard as a person names it."""
        return f"{self.store.where}/{self.manifest.shards[shard].name}"

    def hash_of(self, file: BinaryIO, content: Pixels) -> str:
        """The SHA-256 of a file; it is read once, for as long as the file is the same."""
        file_now = _identity(file)
        if file_now not in self._hashes:
            self._hashes[file_now] = hashlib.sha256(content.data).hexdigest()
        return self._hashes[file_now]

    def know_hash(self, file: BinaryIO, sha256: str) -> None:
        """Takes the SHA-256 of a file that has just been hashed on its way."""
        self._hashes[_identity(file)] = sha256


def index_in_store(store: Store, info: ShardInfo, came: Callable[[ShardInfo, bytes], None] | None = None) -> ShardIndex:
    """The index from the store. Raises DataError if it is missing, or has another hash even the second time."""
    name = index_name(info.name)
    where = f"{store.where}/{name}"
    for tries in range(TRIES):
        try:
            content = store.read(name)
        except NotThere:
            content = b""
        if came:
            came(info, content)
        if tries + 1 == TRIES or sha256_of(content) == info.index_sha256:
            break
    return check_index(content, info.index_sha256, where)


def _identity(file: BinaryIO) -> tuple[int, ...]:
    """Of a file's content, for as long as this process runs."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
