"""From a plan to batches on their way to the device: one gather a batch, uint8, one channel, read ahead."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple

import numpy.typing as npt
import tensorflow as tf

from trainer.config import DataConfig
from trainer.data.cache.ahead import Needs
from trainer.data.evidence import Evidence, evidence
from trainer.data.film_set import Arrays, FilmSet
from trainer.data.plan import EpochPlan, Need, Slots, scoring_batch, scoring_needs


class Batch(NamedTuple):
    """images uint8 [n, height, width, 1]; labels float32 [n, classes], NaN unknown; weights float32 [n], 0 repeated."""

    images: tf.Tensor
    labels: tf.Tensor
    weights: tf.Tensor


Delivered = Callable[[Evidence], None]
"""Told of each batch as it is handed over: which films it holds."""


def training_batches(
    films: FilmSet,
    plan: EpochPlan,
    slots: range,
    *,
    first_batch: int,
    config: DataConfig,
    delivered: Delivered | None = None,
) -> Iterator[Batch]:
    """Batches ``first_batch`` and on of an epoch, for this rank's run of slots. Raises DataError on a damaged set."""
    wanted = range(first_batch, plan.batches)

    def needs() -> tuple[list[Need], list[Need]]:
        return plan.needs(slots, first_batch), plan.next_epoch().needs(slots)

    return _batches(films, wanted, lambda batch: plan.slots(batch, slots), needs, config, delivered)


def scoring_batches(films: FilmSet, batches: range, *, batch_size: int, config: DataConfig) -> Iterator[Batch]:
    """Whole batches of a scoring pass. Raises DataError on a damaged set."""
    records = films.records_per_shard

    def needs() -> tuple[list[Need], list[Need]]:
        return scoring_needs(records, batches, batch_size), []

    return _batches(films, batches, lambda batch: scoring_batch(records, batch, batch_size), needs, config)


def _batches(
    films: FilmSet,
    batches: range,
    slots: Callable[[int], Slots],
    needs: Needs,
    config: DataConfig,
    delivered: Delivered | None = None,
) -> Iterator[Batch]:
    """In order, with ``prefetch_batches`` in the making or made while the consumer computes."""

    def read(number: int) -> tuple[Batch, Evidence | None]:
        arrays = films.gather(slots(number))
        return _on_device(arrays), evidence(arrays) if delivered else None

    def next_one() -> Batch:
        number, reading = ahead.popleft()
        batch, found = reading.result()
        passed(number)
        if delivered and found:
            delivered(found)
        return batch

    readers = ThreadPoolExecutor(config.reader_threads, thread_name_prefix="reader")
    ahead: deque[tuple[int, Future[tuple[Batch, Evidence | None]]]] = deque()
    with films.reading(needs) as passed:
        try:
            for number in batches:
                ahead.append((number, readers.submit(read, number)))
                if len(ahead) > config.prefetch_batches:
                    yield next_one()
            while ahead:
                yield next_one()
        finally:
            readers.shutdown(cancel_futures=True)


def _on_device(arrays: Arrays) -> Batch:
    weight = arrays.slots.weight
    return Batch(
        _shared(arrays.images), _shared(arrays.labels), _ones(len(weight)) if weight.all() else tf.constant(weight)
    )


def _shared(array: npt.NDArray[Any]) -> tf.Tensor:
    """A tensor in the memory of the array, which tf.constant would copy; on a GPU a copy, made by this thread."""
    tensor = tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.identity(tensor) if _has_gpu() else tensor


@cache
def _ones(films: int) -> tf.Tensor:
    """The weights of every batch but the last of an epoch."""
    return tf.ones(films)


@cache
def _has_gpu() -> bool:
    return bool(tf.config.get_visible_devices("GPU"))
