"""Shards of a folder, mapped where they lie."""

from collections.abc import Sequence

from trainer.data.cache.keeper import Brought, Keeper, index_in_store
from trainer.data.cache.tally import untold
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.shard import Shard, check, mapped, missing


class InPlace(Keeper):
    """Of a set in a folder: its shards are mapped where they lie."""

    threads, budget_bytes, tell = 1, float("inf"), staticmethod(untold)

    def bring(self, shard: int) -> Brought:
        """Hashes the file, unless this process has."""
        info = self.manifest.shards[shard]
        try:
            with self.store.path(info.name).open("rb") as file:
                content = mapped(file)
                check(self.hash_of(file, content), info.sha256, self.where(shard))
        except (OSError, ValueError) as error:
            raise missing(info.sha256, self.where(shard)) from error
        return Brought(Shard(self.index(shard), content), _nothing)

    def index(self, shard: int) -> ShardIndex:
        """Read from the folder."""
        info = self.manifest.shards[shard]
        return index_in_store(self.store, info)

    def plan(self, shards: Sequence[int]) -> None:
        """All are there already."""

    def done(self, shard: int) -> None:
        """None is evicted."""


def _nothing() -> None:
    """What is mapped where it lies is let go by forgetting it."""
