"""From a plan to batches on their way to the device: one gather a batch, uint8, one channel, read ahead."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import tensorflow as tf

from trainer.config import DataConfig
from trainer.data.film_set import Arrays, FilmSet
from trainer.data.plan import EpochPlan, Slots, scoring_batch


class Batch(NamedTuple):
    """images uint8 [n, height, width, 1]; labels float32 [n, classes], NaN unknown; weights float32 [n], 0 repeated."""

    images: tf.Tensor
    labels: tf.Tensor
    weights: tf.Tensor


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
