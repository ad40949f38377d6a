"""A prepared set, read: its manifest, and its films by (shard, record)."""

import math
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.config import CacheConfig
from trainer.data.buffers import Buffers
from trainer.data.cache.ahead import Needs
from trainer.data.cache.folder import CacheFolder
from trainer.data.cache.in_place import InPlace
from trainer.data.cache.node_cache import NodeCache
from trainer.data.cache.shards import Shards
from trainer.data.cache.tally import Tell, untold
from trainer.data.film.images import decode_stored
from trainer.data.plan import Slots
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import Manifest, parse_manifest, read_content, sha256_of
from trainer.data.store.store import Store
from trainer.demographics import Demographics


class Arrays(NamedTuple):
    """images uint8 [n, height, width, 1]; labels float32 [n, classes], NaN unknown; the slots they fill."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    slots: Slots


_DEFAULT = CacheConfig()


class FilmSet:
    """A prepared set: its manifest, and its films by (shard, record).

    Args:
        store: where it lies.
        manifest: of the set.
        digest: of the manifest.
        shards: that hold its films.
    """

    def __init__(self, store: Store, manifest: Manifest, digest: str, shards: Shards) -> None:
        self.store, self.manifest, self._shards = store, manifest, shards
        self.digest = digest
        """SHA-256 of the manifest, which holds the hashes of all else: equal for equal sets."""
        self._buffers = Buffers()
        self.records_per_shard = tuple(shard.records for shard in manifest.shards)

    @classmethod
    def open(
        cls, store: Store, cache: CacheConfig = _DEFAULT, *, ranks_on_node: int = 1, tell: Tell = untold
    ) -> "FilmSet":
        """The set in a store: shards of a folder are mapped where they lie, others come through the node's cache.

        Args:
            store: where it lies.
            cache: where and how large that is.
            ranks_on_node: that share it.
            tell: counts what happens to it.

        Raises DataError where there is no set, StoreDown.
        """
        content = read_content(store)
        manifest = parse_manifest(content, store)
        if store.is_local:
            return cls(store, manifest, sha256_of(content), Shards(InPlace(store, manifest)))
        cap = int(cache.gibibytes * 2**30)
        folder = CacheFolder(_folder(cache), cap, tell)
        keeper = NodeCache(store, manifest, folder, threads=cache.fetches, budget_bytes=cap / ranks_on_node, tell=tell)
        return cls(store, manifest, sha256_of(content), Shards(keeper))

    def gather(self, slots: Slots) -> Arrays:
        """The films of a batch, and which they are. Raises DataError where one is damaged, StoreDown."""
        image, classes = self.manifest.image, len(self.manifest.classes)
        films = self._shards.films(*slots.places())
        shape = (len(films), image.height, image.width, 1)
        pixels, values = self._buffers.take(math.prod(shape), len(films) * classes * np.dtype(np.float32).itemsize)
        images, labels = pixels.reshape(shape), values.view(np.float32).reshape(len(films), classes)
        if image.encoding == "raw":
            # One call copies them all.
            np.concatenate([film.image for film in films], out=pixels)
        else:
            for row, film in enumerate(films):
                decode_stored(film.image.data, image.encoding, images[row, :, :, 0])
        values[:] = np.frombuffer(b"".join([film.labels for film in films]), np.uint8)
        return Arrays(images, labels, slots)

    @contextmanager
    def reading(self, needs: Needs) -> Iterator[Callable[[int], None]]:
        """Brings the shards of a pass over the set ahead of need; to be told of each batch that has been read."""
        self._shards.expect(needs)
        try:
            yield self._shards.passed
        finally:
            self._shards.rest()

    def settle(self) -> None:
        """Until the shards that there is room for are within reach."""
        self._shards.settle()

    def close(self) -> None:
        """Gives up what is on its way."""
        self._shards.close()

    def labels(self) -> npt.NDArray[np.float32]:
        """Every film's labels, float32 [films, classes], NaN unknown, in the set's order."""
        return np.concatenate([each.labels for each in self._indexes()])

    def ids(self) -> list[str]:
        """Every film's id, in the set's order."""
        return [each for index in self._indexes() for each in index.ids()]

    def patients(self) -> list[str]:
        """Every film's hashed patient, in the set's order."""
        return [each for index in self._indexes() for each in index.patients()]

    def demographics(self) -> list[Demographics]:
        """Every film's demographics, in the set's order."""
        return [each for index in self._indexes() for each in index.demographics()]

    def _indexes(self) -> Iterator[ShardIndex]:
        return map(self._shards.index, range(len(self.manifest.shards)))


def _folder(cache: CacheConfig) -> Path:
    return Path(cache.directory or Path(tempfile.gettempdir()) / f"cxr-train-shards-{os.getuid()}")
