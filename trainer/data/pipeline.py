"""From a plan to batches on their way to the device: one gather a batch, uint8, one channel, read ahead."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import DataConfig
from trainer.data.manifest import MANIFEST_NAME, Manifest, read_manifest, sha256_of
from trainer.data.plan import EpochPlan, Slots, scoring_batch
from trainer.data.shards import ShardReader
from trainer.errors import CxrError

# TensorFlow takes over an array without a copy if it starts on this boundary, bytes.
_ALIGNMENT = 64


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

    def gather(self, slots: Slots) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """The arrays of a Batch."""
        count = len(slots.shard)
        images = _aligned(count, self.manifest.image.height, self.manifest.image.width, 1)
        labels = np.empty((count, len(self.manifest.classes)), dtype=np.float32)
        for row, (shard, record) in enumerate(zip(slots.shard.tolist(), slots.record.tolist(), strict=True)):
            reader = self._readers[shard]
            reader.image_into(record, images[row, :, :, 0])
            labels[row] = reader.label(record)
        return images, labels, slots.weight

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
    return _batches(films, range(first_batch, plan.batches), lambda batch: plan.slots(batch, slots), len(slots), config)


def scoring_batches(films: FilmSet, batches: range, *, batch_size: int, config: DataConfig) -> Iterator[Batch]:
    """Whole batches of a scoring pass. Raises DataError on a damaged set."""
    return _batches(
        films, batches, lambda batch: scoring_batch(films.records_per_shard, batch, batch_size), batch_size, config
    )


def _batches(
    films: FilmSet, batches: range, slots: Callable[[int], Slots], size: int, config: DataConfig
) -> Iterator[Batch]:
    raised: list[CxrError] = []

    def arrays(number: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        try:
            return films.gather(slots(int(number)))
        except CxrError as error:
            raised.append(error)
            raise

    try:
        yield from _dataset(films.manifest, batches, arrays, size, config)
    except tf.errors.OpError:
        # TensorFlow makes every exception of a reader an error of its own, which no longer names key and cure.
        if raised:
            raise raised[0] from None
        raise


def _dataset(
    manifest: Manifest, batches: range, arrays: Callable[[Any], Any], size: int, config: DataConfig
) -> tf.data.Dataset:
    def gather(batch: tf.Tensor) -> Batch:
        images, labels, weights = tf.numpy_function(arrays, [batch], (tf.uint8, tf.float32, tf.float32))
        return Batch(
            tf.ensure_shape(images, (size, manifest.image.height, manifest.image.width, 1)),
            tf.ensure_shape(labels, (size, len(manifest.classes))),
            tf.ensure_shape(weights, (size,)),
        )

    numbers = tf.data.Dataset.range(batches.start, batches.stop, batches.step)
    return numbers.map(gather, num_parallel_calls=config.reader_threads, deterministic=True).prefetch(
        config.prefetch_batches
    )


def _aligned(*shape: int) -> npt.NDArray[np.uint8]:
    size = int(np.prod(shape))
    memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)
