"""A prepared set in a folder, read: its manifest, and its films by (shard, record)."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.plan import Slots
from trainer.data.shard.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of
from trainer.data.shard.shard import Shard, open_shard
from trainer.data.store.folder import FolderStore


class Arrays(NamedTuple):
    """images uint8 [n, height, width, 1]; labels float32 [n, classes], NaN unknown; the slots they fill."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    slots: Slots


# Bytes; TensorFlow's kernels may take it for granted that a tensor starts on this boundary.
_ALIGNMENT = 64


class FilmSet:
    """A prepared set in a folder: its manifest, and its films by (shard, record)."""

    def __init__(self, directory: Path, key: str) -> None:
        self.store = FolderStore(directory, key)
        self.manifest: Manifest = read_manifest(self.store)
        self.digest = sha256_of(self.store.read(MANIFEST_NAME))
        """Of the manifest, which holds the hashes of all else: equal for equal sets."""
        self._shard: Callable[[int], Shard] = cache(partial(open_shard, directory, self.manifest))
        self.records_per_shard = tuple(shard.records for shard in self.manifest.shards)

    def gather(self, slots: Slots) -> Arrays:
        """The films of a batch, and which they are."""
        count, image = len(slots.shard), self.manifest.image
        films = [(self._shard(shard), record) for shard, record in zip(*slots.places(), strict=True)]
        images = _aligned(count, image.height, image.width, 1)
        if image.encoding == "raw":
            # One call copies them all.
            np.concatenate([shard.image(record) for shard, record in films], out=images.reshape(-1))
        else:
            for row, (shard, record) in enumerate(films):
                shard.image_into(record, images[row, :, :, 0])
        return Arrays(images, np.stack([shard.label(record) for shard, record in films]), slots)

    def labels(self) -> npt.NDArray[np.float32]:
        """Every film's labels, float32 [films, classes], NaN unknown, in the set's order."""
        return np.concatenate([each.index.labels for each in self._shards()])

    def ids(self) -> list[str]:
        """Every film's id, in the set's order."""
        return [each for shard in self._shards() for each in shard.index.ids()]

    def patients(self) -> list[str]:
        """Every film's hashed patient, in the set's order."""
        return [each for shard in self._shards() for each in shard.index.patients()]

    def _shards(self) -> Iterator[Shard]:
        return map(self._shard, range(len(self.manifest.shards)))


def _aligned(*shape: int) -> npt.NDArray[np.uint8]:
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)
