"""From a plan to batches on their way to the device: one gather a batch, uint8, one channel, read ahead."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import DataConfig
from trainer.data.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of
from trainer.data.plan import EpochPlan, Slots, scoring_batch
from trainer.data.shards import ShardReader

# Bytes; TensorFlow's kernels may take it for granted that a tensor starts on this boundary.
_ALIGNMENT = 64


Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.float32]]


class Batch(NamedTuple):
    """images uint8 [n, height, width, 1]; labels float32 [n, classes], NaN unknown; weights float32 [n], 0 repeated."""

    images: tf.Tensor
    labels: tf.Tensor
    weights: tf.Tensor


class FilmSet:
    """A prepared set in a folder: its manifest, and its films by (shard, record)."""

    def __init__(self, directory: Path, key: str) -> None:
        self.directory = directory
        self.manifest: Manifest = read_manifest(directory, key)
        self.digest = sha256_of((directory / MANIFEST_NAME).read_bytes())
        """Of the manifest, which holds the hashes of all else: equal for equal sets."""
        self._readers = [ShardReader(directory, self.manifest, i) for i in range(len(self.manifest.shards))]
        self.records_per_shard = tuple(shard.records for shard in self.manifest.shards)

    def gather(self, slots: Slots) -> Arrays:
        """The arrays of a Batch."""
        count, image = len(slots.shard), self.manifest.image
        films = [(self._readers[shard], record) for shard, record in zip(*slots.places(), strict=True)]
        images = _aligned(count, image.height, image.width, 1)
        if image.encoding == "raw":
            # One call copies them all.
            np.concatenate([reader.image(record) for reader, record in films], out=images.reshape(-1))
        else:
            for row, (reader, record) in enumerate(films):
                reader.image_into(record, images[row, :, :, 0])
        labels = np.concatenate([reader.label(record) for reader, record in films]).view("<f4")
        return images, labels.reshape(count, -1), slots.weight

    def labels(self) -> npt.NDArray[np.float32]:
        """Every film's labels, float32 [films, classes], NaN unknown, in the set's order."""
        counts = zip(self._readers, self.records_per_shard, strict=True)
        return np.concatenate([reader.labels(range(records)) for reader, records in counts])

    def ids(self) -> list[str]:
        """Every film's id, in the set's order."""
        return [each for reader in self._readers for each in reader.ids()]

    def patients(self) -> list[str]:
        """Every film's hashed patient, in the set's order."""
        return [each for reader in self._readers for each in reader.patients()]


def training_batches(
    films: FilmSet, plan: EpochPlan, slots: range, *, first_batch: int, config: DataConfig
) -> Iterator[Batch]:
    """Batches ``first_batch`` and on of an epoch, for this rank's run of slots. Raises DataError on a damaged set."""
    return _batches(films, range(first_batch, plan.batches), lambda batch: plan.slots(batch, slots), config)


def scoring_batches(films: FilmSet, batches: range, *, batch_size: int, config: DataConfig) -> Iterator[Batch]:
    """Whole batches of a scoring pass. Raises DataError on a damaged set."""
    return _batches(films, batches, lambda batch: scoring_batch(films.records_per_shard, batch, batch_size), config)


def _batches(films: FilmSet, batches: range, slots: Callable[[int], Slots], config: DataConfig) -> Iterator[Batch]:
    """In order, with ``prefetch_batches`` in the making or made while the consumer computes."""
    readers = ThreadPoolExecutor(config.reader_threads, thread_name_prefix="reader")
    ahead: deque[Future[Batch]] = deque()
    try:
        for number in batches:
            ahead.append(readers.submit(lambda each: _on_device(films.gather(slots(each))), number))
            if len(ahead) > config.prefetch_batches:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        readers.shutdown(cancel_futures=True)


def _on_device(arrays: Arrays) -> Batch:
    images, labels, weights = arrays
    # Shares the memory of the images, which tf.constant would copy; on a GPU they are copied to it from this thread.
    shared = tf.experimental.dlpack.from_dlpack(images.__dlpack__())
    return Batch(tf.identity(shared) if _has_gpu() else shared, tf.constant(labels), tf.constant(weights))


@cache
def _has_gpu() -> bool:
    return bool(tf.config.get_visible_devices("GPU"))


def _aligned(*shape: int) -> npt.NDArray[np.uint8]:
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)
