"""Reading films on one core: the bare machine, FilmSet.gather and the whole tf.data pipeline.

Settings: cores (one), films, image_size, encoding (raw or jpeg), batch.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import simplejpeg

from benchmarks.channel import Parent, Settings, serve, settings
from benchmarks.films import film_set, raw_film_file, stored
from trainer.config import DataConfig
from trainer.data.pipeline import FilmSet, training_batches
from trainer.data.plan import EpochPlan


class Reader:
    """An epoch's batches in random order, read in three ways."""

    def __init__(self, given: Settings) -> None:
        self._batch, side = given["batch"], given["image_size"]
        self._shape = (given["films"], side, side)
        self._set = FilmSet(film_set(*self._shape[:2], given["encoding"]), "benchmark")
        records = self._set.records_per_shard
        self._plan = EpochPlan(records, seed=0, epoch=0, global_batch_size=self._batch, window_shards=8)
        self._slots = range(self._batch)
        if given["encoding"] == "raw":
            pixels = np.memmap(raw_film_file(*self._shape[:2]), np.uint8, "r", shape=self._shape)
            self.bare: Callable[[], None] = lambda: self._take(pixels)
        else:
            encoded = list(stored(*self._shape[:2], "jpeg"))
            self.bare = lambda: self._decode(encoded)

    def gather(self) -> None:
        """Without tf.data."""
        for batch in range(self._plan.batches):
            self._set.gather(self._plan.slots(batch, self._slots))

    def pipeline(self) -> None:
        """As training reads."""
        for _ in training_batches(self._set, self._plan, self._slots, first_batch=0, config=DataConfig()):
            pass

    def _take(self, films: npt.NDArray[np.uint8]) -> None:
        out = np.empty((self._batch, *self._shape[1:]), np.uint8)
        for numbers in self._numbers():
            # Any other mode than clip goes through a copy.
            np.take(films, numbers, axis=0, out=out, mode="clip")

    def _decode(self, encoded: list[bytes]) -> None:
        out = np.empty((self._batch, *self._shape[1:]), np.uint8)
        for numbers in self._numbers():
            for row, number in enumerate(numbers.tolist()):
                out[row] = simplejpeg.decode_jpeg(encoded[number], "GRAY")[..., 0]

    def _numbers(self) -> Iterator[npt.NDArray[np.int64]]:
        order = np.random.default_rng(0).permutation(self._shape[0])
        yield from np.split(order, self._plan.batches)


def main() -> None:
    """Reads every film once at each request."""
    given, parent = settings(), Parent()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    reader = Reader(given)
    ways: dict[str, Callable[[], None]] = {
        "bare": reader.bare,
        "gather": reader.gather,
        "pipeline": reader.pipeline,
    }

    def measure(way: str) -> dict[str, float]:
        began = time.perf_counter()
        ways[way]()
        return {"seconds": time.perf_counter() - began}

    for way in ways:
        measure(way)
    serve(parent, measure)


if __name__ == "__main__":
    main()
