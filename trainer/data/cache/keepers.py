"""Who brings a shard within reach: mapped where it lies, or fetched into the node's cache first."""

import errno
import fcntl
import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO, NamedTuple

from trainer.data.cache.download import AbandonedError, download
from trainer.data.cache.folder import CacheFolder, NoRoomError
from trainer.data.cache.tally import Tell, untold
from trainer.data.film.images import Pixels
from trainer.data.shard.index import ShardIndex, index_name
from trainer.data.shard.manifest import Manifest, ShardInfo, sha256_of
from trainer.data.shard.shard import Shard, check, check_index, mapped, missing, other_hash
from trainer.data.store.store import NotThere, Range, Store

_ASK_AGAIN_SECONDS = 0.05
"""Whether another process has fetched a shard: a lock of a file is not waited for with an end."""

_TRIES = 2
"""At an object with another hash: what was damaged on the way comes whole the second time."""


_INDEX_LOCKS = 64


class Brought(NamedTuple):
    """A shard within reach, for as long as it is not let go."""

    shard: Shard
    let_go: Callable[[], None]


class Mapped(NamedTuple):
    """A file that is kept from eviction until it is unlocked, and its bytes, uint8."""

    file: BinaryIO
    content: Pixels


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

    def _hash_of(self, file: BinaryIO, content: Pixels) -> str:
        """The SHA-256 of a file; it is read once, for as long as the file is the same."""
        file_now = _identity(file)
        if file_now not in self._hashes:
            self._hashes[file_now] = hashlib.sha256(content.data).hexdigest()
        return self._hashes[file_now]


class InPlace(Keeper):
    """Of a set in a folder: its shards are mapped where they lie."""

    threads, budget_bytes, tell = 1, float("inf"), staticmethod(untold)

    def bring(self, shard: int) -> Brought:
        """Hashes the file, unless this process has."""
        info = self.manifest.shards[shard]
        try:
            with self.store.path(info.name).open("rb") as file:
                content = mapped(file)
                check(self._hash_of(file, content), info.sha256, self.where(shard))
        except (OSError, ValueError) as error:
            raise missing(info.sha256, self.where(shard)) from error
        return Brought(Shard(self.index(shard), content, self.manifest.image.encoding), _nothing)

    def index(self, shard: int) -> ShardIndex:
        """Read from the folder."""
        info = self.manifest.shards[shard]
        return _index_in_store(self.store, info)

    def plan(self, shards: Sequence[int]) -> None:
        """All are there already."""

    def done(self, shard: int) -> None:
        """None is evicted."""


class NodeCache(Keeper):
    """Of a set in a bucket: its shards are fetched into the node's folder, each once a node.

    Args:
        store: of the set.
        manifest: of the set.
        folder: of the node.
        threads: shards fetched at a time.
        budget_bytes: this process's share of the folder.
        tell: counts.
    """

    def __init__(
        self, store: Store, manifest: Manifest, folder: CacheFolder, *, threads: int, budget_bytes: float, tell: Tell
    ) -> None:
        super().__init__(store, manifest)
        self._folder, self.threads, self.budget_bytes = folder, threads, budget_bytes
        self.tell = tell
        self._fetching_index = [threading.Lock() for _ in range(_INDEX_LOCKS)]

    def bring(self, shard: int) -> Brought:
        """From the folder; if it is not there, from the store, or by another process that is fetching it."""
        info = self.manifest.shards[shard]
        found = self._present(info)
        self.tell("hits" if found else "misses", 1)
        file, content = found or self._fetched(shard, info)
        try:
            made = Shard(self.index(shard), content, self.manifest.image.encoding)
        except BaseException:
            _unlock(file)
            raise
        return Brought(made, partial(_unlock, file))

    def index(self, shard: int) -> ShardIndex:
        """From the folder, or from the store."""
        info = self.manifest.shards[shard]
        # Whoever wants the same one waits, and finds it in the folder.
        with self._fetching_index[shard % len(self._fetching_index)]:
            content = self._folder.index(info.sha256)
            if content is not None:
                if sha256_of(content) == info.index_sha256:
                    return ShardIndex(content)
                self.tell("corrupt", 1)
            return _index_in_store(self.store, info, self._keep_index)

    def records(self, shard: int, ranges: Sequence[Range], *, again: bool) -> list[bytes]:
        """From the folder, else from the store."""
        info = self.manifest.shards[shard]
        file = None if again else self._folder.opened(info.sha256)
        if file is not None:
            with file:
                return [os.pread(file.fileno(), each.bytes, each.start) for each in ranges]
        self.tell("direct_films", len(ranges))
        self.tell("fetched_bytes", sum(each.bytes for each in ranges))
        return super().records(shard, ranges, again=again)

    def plan(self, shards: Sequence[int]) -> None:
        """The folder evicts by it."""
        self._folder.plan(self, [self.manifest.shards[each].sha256 for each in shards])

    def done(self, shard: int) -> None:
        """It may be evicted."""
        self._folder.done(self, self.manifest.shards[shard].sha256)

    def _keep_index(self, info: ShardInfo, content: bytes) -> None:
        self.tell("fetched_bytes", len(content))
        if sha256_of(content) == info.index_sha256:
            self._folder.keep_index(info.sha256, content)

    def _present(self, info: ShardInfo) -> Mapped | None:
        file = self._folder.opened(info.sha256)
        if file is None:
            return None
        if os.fstat(file.fileno()).st_size == info.bytes:
            content = mapped(file)
            if self._hash_of(file, content) == info.sha256:
                return Mapped(file, content)
        self.tell("corrupt", 1)
        self._folder.discard(file, info.sha256)
        return None

    def _fetched(self, shard: int, info: ShardInfo) -> Mapped:
        found = ""
        for _ in range(_TRIES):
            begun = self._begun(info)
            if isinstance(begun, Mapped):
                return begun
            found = self._downloaded(begun, info)
            if found == info.sha256:
                self._folder.commit(begun, info.sha256)
                self._hashes[_identity(begun)] = found
                return Mapped(begun, mapped(begun))
            self.tell("corrupt", 1)
            self._folder.abandon(begun, info.sha256)
        raise other_hash(found, info.sha256, self.where(shard))

    def _begun(self, info: ShardInfo) -> BinaryIO | Mapped:
        """A file to fill; or the shard, if another process has fetched it meanwhile."""
        while True:
            if file := self._folder.begin(info.sha256, info.bytes, self):
                return file
            if present := self._present(info):
                return present
            if self.abandoned.wait(_ASK_AGAIN_SECONDS):
                raise AbandonedError

    def _downloaded(self, file: BinaryIO, info: ShardInfo) -> str:
        try:
            return download(self.store, info.name, info.bytes, file, self.abandoned, self.tell)
        except OSError as error:
            self._folder.abandon(file, info.sha256)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            self._folder.failed(str(error))
            raise NoRoomError(str(error)) from error
        except BaseException:
            self._folder.abandon(file, info.sha256)
            raise


def _index_in_store(
    store: Store, info: ShardInfo, came: Callable[[ShardInfo, bytes], None] | None = None
) -> ShardIndex:
    """The index from the store. Raises DataError if it is missing, or has another hash even the second time."""
    name = index_name(info.name)
    where = f"{store.where}/{name}"
    for tries in range(_TRIES):
        try:
            content = store.read(name)
        except NotThere:
            content = b""
        if came:
            came(info, content)
        if tries + 1 == _TRIES or sha256_of(content) == info.index_sha256:
            break
    return check_index(content, info.index_sha256, where)


def _identity(file: BinaryIO) -> tuple[int, ...]:
    """Of a file's content, for as long as this process runs."""
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _unlock(file: BinaryIO) -> None:
    """Lets others evict a file; its mapping has a descriptor of its own, and stays readable."""
    fcntl.flock(file, fcntl.LOCK_UN)
    file.close()


def _nothing() -> None:
    """What is mapped where it lies is let go by forgetting it."""
