"""Reading films on one core: the bare machine, FilmSet.gather and the whole pipeline.

Settings: cores (one), films, image_size, encoding (raw or jpeg), batch.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from benchmarks.channel import Parent, Settings, serve, settings
from benchmarks.films import film_set, raw_film_file, stored
from trainer.config import DataConfig
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import training_batches
from trainer.data.plan import EpochPlan
from trainer.data.store.folder import FolderStore

Pixels = npt.NDArray[np.uint8]

_CONFIG = DataConfig()
_ALIVE = _CONFIG.prefetch_batches + 2
"""Batches that are in memory at a time: read ahead, in the making, in use. The bare ways hold as many."""


class Reader:
    """An epoch's batches in random order, read in three ways."""

    def __init__(self, given: Settings) -> None:
        self._batch, side = given["batch"], given["image_size"]
        self._shape = (given["films"], side, side)
        self._set = FilmSet.open(FolderStore(film_set(*self._shape[:2], given["encoding"]), "benchmark"))
        records = self._set.records_per_shard
        self._plan = EpochPlan(records, seed=0, epoch=0, global_batch_size=self._batch, window_shards=8)
        self._slots = range(self._batch)
        if given["encoding"] == "raw":
            pixels = np.memmap(raw_film_file(*self._shape[:2]), np.uint8, "r", shape=self._shape)
            self._bare: Callable[[npt.NDArray[np.int64]], Pixels] = lambda numbers: np.take(pixels, numbers, axis=0)
        else:
            encoded = list(stored(*self._shape[:2], "jpeg"))
            self._bare = lambda numbers: self._decode([encoded[number] for number in numbers])

    def bare(self) -> Iterator[Pixels]:
        """One call of numpy, or simplejpeg a film."""
        order = np.random.default_rng(0).permutation(self._shape[0])
        return map(self._bare, np.split(order, self._plan.batches))

    def gather(self) -> Iterator[Any]:
        """Without threads."""
        return (self._set.gather(self._plan.slots(batch, self._slots)) for batch in range(self._plan.batches))

    def pipeline(self) -> Iterator[Any]:
        """As training reads."""
        return iter(training_batches(self._set, self._plan, self._slots, first_batch=0, config=_CONFIG))

    def _decode(self, films: list[bytes]) -> Pixels:
        out = np.empty((len(films), *self._shape[1:]), np.uint8)
        for row, film in enumerate(films):
            out[row] = simplejpeg.decode_jpeg(film, "GRAY")[..., 0]
        return out


def main() -> None:
    """Reads every film once at each request; the batches that are there before the clock starts are not counted."""
    given, parent = settings(), Parent()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    reader = Reader(given)
    ways: dict[str, Callable[[], Iterator[Any]]] = {
        "bare": reader.bare,
        "gather": reader.gather,
        "pipeline": reader.pipeline,
    }

    def measure(way: str) -> dict[str, float]:
        batches = ways[way]()
        alive = deque(islice(batches, _ALIVE), maxlen=_ALIVE)
        began, counted = time.perf_counter(), 0
        for batch in batches:
            alive.append(batch)
            counted += 1
        return {"films": counted * given["batch"], "seconds": time.perf_counter() - began}

    for way in ways:
        measure(way)
    serve(parent, measure)


if __name__ == "__main__":
    main()
