"""Films of a bucket: obstore alone, and the way through the cache into batches.

Settings: cores, films, image_size, batch, store (what reaches the server), bucket (URL of the set), cache (a folder).
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import obstore
from obstore.store import S3Store

from benchmarks.channel import Parent, Settings, serve, settings
from benchmarks.films import raw_film_file
from trainer.config import CacheConfig, DataConfig, StoreConfig
from trainer.data.cache.tally import Tally
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import training_batches
from trainer.data.plan import EpochPlan
from trainer.data.shard.manifest import ShardInfo
from trainer.data.store.opening import open_store

_RANGE_BYTES, _REQUESTS = 8 * 2**20, 8
_BATCH_BYTES = 2 * 2**20


class Reading:
    """An epoch of the set, in the ways that are compared. Each returns what it did and in how many seconds."""

    def __init__(self, given: Settings) -> None:
        self._given, self._cache = given, Path(given["cache"])
        self._config = StoreConfig(**given["store"])
        self._manifest = self._open().manifest
        self._bytes = sum(each.bytes for each in self._manifest.shards)

    def obstore_alone(self) -> dict[str, float]:
        """All shards in ranges of 8 MiB, eight at a time; what comes is dropped."""
        ranges = [(each.name, start) for each in self._manifest.shards for start in range(0, each.bytes, _RANGE_BYTES)]
        store, size = self._bare_store(), {each.name: each.bytes for each in self._manifest.shards}

        def get(part: tuple[str, int]) -> int:
            name, start = part
            return len(obstore.get_range(store, name, start=start, length=min(_RANGE_BYTES, size[name] - start)))

        return self._by_threads(get, ranges)

    def obstore_hashed(self) -> dict[str, float]:
        """The same, and each shard's SHA-256, which takes its ranges in their order; eight shards at a time."""
        store = self._bare_store()

        def get(shard: ShardInfo) -> int:
            for _ in self._hashed_ranges(store, shard):
                pass
            return shard.bytes

        return self._by_threads(get, self._manifest.shards)

    def bare_cache(self) -> dict[str, float]:
        """The same, each shard into a file, which is then mapped and copied out once: the least that a cache does."""
        self._empty()
        self._cache.mkdir(parents=True)
        store = self._bare_store()

        def get(shard: ShardInfo) -> int:
            with (self._cache / shard.name).open("w+b") as file:
                file.writelines(self._hashed_ranges(store, shard))
                file.flush()
                mapped = np.memmap(file, np.uint8, "r")
            batch = np.empty(_BATCH_BYTES, np.uint8)
            for start in range(0, shard.bytes, _BATCH_BYTES):
                part = mapped[start : start + _BATCH_BYTES]
                batch[: len(part)] = part
            return shard.bytes

        return self._by_threads(get, self._manifest.shards)

    def _hashed_ranges(self, store: S3Store, shard: ShardInfo) -> Iterator[Any]:
        """The shard's ranges in their order; at the end its SHA-256 is right."""
        found = hashlib.sha256()
        for start in range(0, shard.bytes, _RANGE_BYTES):
            content = obstore.get_range(store, shard.name, start=start, length=min(_RANGE_BYTES, shard.bytes - start))
            found.update(content)
            yield content
        assert found.hexdigest() == shard.sha256

    def _bare_store(self) -> S3Store:
        bucket, _, prefix = self._given["bucket"].removeprefix("s3://").partition("/")
        return S3Store(bucket, prefix=prefix, client_options={"allow_http": True}, virtual_hosted_style_request=False)

    def _by_threads(self, get: Callable[[Any], int], parts: Sequence[Any]) -> dict[str, float]:
        began = time.perf_counter()
        with ThreadPoolExecutor(_REQUESTS) as threads:
            total = sum(threads.map(get, parts))
        return {"bytes": total, "seconds": time.perf_counter() - began}

    def cold(self) -> dict[str, float]:
        """From an empty cache, the set's opening included, to the last batch."""
        self._empty()
        return self._epoch()

    def warm(self) -> dict[str, float]:
        """From a full cache and an opened set, once its shards are within reach."""
        films = self._open()
        batches = self._batches(films)
        next(batches)
        films.settle()
        began, count = time.perf_counter(), sum(1 for _ in batches)
        return {"films": count * self._given["batch"], "seconds": time.perf_counter() - began}

    def bare(self) -> dict[str, float]:
        """One call of numpy a batch, from a mapped file of the pixels."""
        films, side, batch = self._given["films"], self._given["image_size"], self._given["batch"]
        pixels = np.memmap(raw_film_file(films, side), np.uint8, "r", shape=(films, side, side))
        order = np.random.default_rng(0).permutation(films).reshape(-1, batch)
        np.take(pixels, np.arange(films), axis=0).sum()
        began = time.perf_counter()
        alive = [np.take(pixels, order[0], axis=0)] * 6
        for number, each in enumerate(order):
            alive[number % len(alive)] = np.take(pixels, each, axis=0)
        return {"films": films, "seconds": time.perf_counter() - began}

    def first_cold(self) -> dict[str, float]:
        """The first batch, from an empty cache."""
        self._empty()
        return self._first()

    def first_warm(self) -> dict[str, float]:
        """The first batch, from a full cache."""
        return self._first()

    def _first(self) -> dict[str, float]:
        began = time.perf_counter()
        films = self._open()
        batches = self._batches(films, first=self._plan(films).batches // 2)
        next(batches)
        seconds = time.perf_counter() - began
        films.close()
        films.settle()
        return {"batches": 1, "seconds": seconds}

    def _epoch(self) -> dict[str, float]:
        began, tally = time.perf_counter(), Tally()
        films = self._open(tally)
        count = sum(1 for _ in self._batches(films))
        seconds = time.perf_counter() - began
        films.settle()
        direct = tally.taken().get("direct_films", 0)
        return {"films": count * self._given["batch"], "bytes": self._bytes, "seconds": seconds, "direct_films": direct}

    def _open(self, tally: Tally | None = None) -> FilmSet:
        store = open_store(self._given["bucket"], self._config, "benchmark")
        return FilmSet.open(store, CacheConfig(directory=str(self._cache)), tell=(tally or Tally()).add)

    def _plan(self, films: FilmSet) -> EpochPlan:
        batch = self._given["batch"]
        return EpochPlan(films.records_per_shard, seed=0, epoch=0, global_batch_size=batch, window_shards=8)

    def _batches(self, films: FilmSet, first: int = 0) -> Any:
        slots = range(self._given["batch"])
        return training_batches(films, self._plan(films), slots, first_batch=first, config=DataConfig())

    def _empty(self) -> None:
        shutil.rmtree(self._cache, ignore_errors=True)


def main() -> None:
    """One way at each request."""
    given, parent = settings(), Parent()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    reading = Reading(given)
    list(islice(reading._batches(reading._open()), 2))
    ways: dict[str, Callable[[], dict[str, float]]] = {
        each.__name__: each
        for each in (
            reading.obstore_alone,
            reading.obstore_hashed,
            reading.bare_cache,
            reading.cold,
            reading.warm,
            reading.bare,
            reading.first_cold,
            reading.first_warm,
        )
    }
    serve(parent, lambda way: ways[way]())


if __name__ == "__main__":
    main()
