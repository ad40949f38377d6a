"""Single films of a set as they are stored: by the index of their shard and ranged reads, never whole shards."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trainer.data.film.images import decode_stored
from trainer.data.shard.index import ShardIndex, index_name
from trainer.data.shard.manifest import ANEW, Manifest, sha256_of
from trainer.data.store.store import Store
from trainer.errors import DataError


class StoredFilms:
    """The films of the set in ``store``, by shard and record. Raises DataError where an index is not the manifest's."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self._store, self._manifest = store, manifest
        self._index = lru_cache(maxsize=8)(self._read_index)

    def name(self, shard: int, record: int) -> str:
        """The film's name, as in the catalog."""
        return self._index(shard).ids([record])[0]

    def pixels(self, shard: int, record: int) -> npt.NDArray[np.uint8]:
        """The film as the network gets it, uint8 [height, width]."""
        image = self._manifest.image
        (stored,) = self._store.read_ranges(self._manifest.shards[shard].name, self._index(shard).images([record]))
        out = np.empty((image.height, image.width), dtype=np.uint8)
        decode_stored(memoryview(stored), image.encoding, out)
        return out

    def _read_index(self, shard: int) -> ShardIndex:
        info = self._manifest.shards[shard]
        name = index_name(info.name)
        content = self._store.read(name)
        if sha256_of(content) != info.index_sha256:
            raise DataError(self._store.key, name, "is not what the manifest says", ANEW)
        return ShardIndex(content)
