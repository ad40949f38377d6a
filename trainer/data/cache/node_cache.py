"""Shards of a bucket, fetched into the node's folder, each once a node."""

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from functools import partial
from typing import BinaryIO, NamedTuple

from trainer.data.cache.download import AbandonedError, download
from trainer.data.cache.folder import CacheFolder, NoRoomError
from trainer.data.cache.keeper import TRIES, Brought, Keeper, index_in_store
from trainer.data.cache.tally import Tell
from trainer.data.film.images import Pixels
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import Manifest, ShardInfo, sha256_of
from trainer.data.shard.shard import Shard, mapped, other_hash
from trainer.data.store.store import Range, Store

log = logging.getLogger("cxr_train")

_ASK_AGAIN_SECONDS = 0.05
"""Whether another process has fetched a shard: a lock of a file is not waited for with an end."""

_INDEX_LOCKS = 64


class Mapped(NamedTuple):
    """A file that is kept from eviction until it is unlocked, and its bytes, uint8."""

    file: BinaryIO
    content: Pixels


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
            made = Shard(self.index(shard), content)
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
                self._corrupt("the cache", f"index of {self.where(shard)}")
            return index_in_store(self.store, info, self._keep_index)

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
            if self.hash_of(file, content) == info.sha256:
                return Mapped(file, content)
        self._corrupt("the cache", info.name)
        self._folder.discard(file, info.sha256)
        return None

    def _corrupt(self, where: str, what: str) -> None:
        self.tell("corrupt", 1)
        log.warning("%s: %s has another SHA-256 than the manifest says; fetched again", what, where)

    def _fetched(self, shard: int, info: ShardInfo) -> Mapped:
        found = ""
        for _ in range(TRIES):
            begun = self._begun(info)
            if isinstance(begun, Mapped):
                return begun
            found = self._downloaded(begun, info)
            if found == info.sha256:
                self._folder.commit(begun, info.sha256)
                self.know_hash(begun, found)
                return Mapped(begun, mapped(begun))
            self._corrupt("the store's answer", self.where(shard))
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


def _unlock(file: BinaryIO) -> None:
    """Lets others evict a file; its mapping has a descriptor of its own, and stays readable."""
    fcntl.flock(file, fcntl.LOCK_UN)
    file.close()
