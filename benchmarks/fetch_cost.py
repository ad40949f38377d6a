"""Processor time a GiB of shards costs, reader and server apart: ``python -m benchmarks.fetch_cost``.

Processor time holds on a busy machine, where a clock on the wall does not.
"""

import os
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import obstore
import psutil
from obstore.store import S3Store

from benchmarks.films import film_set
from tests.s3 import new_server
from trainer.data.cache.download import download
from trainer.data.cache.tally import untold
from trainer.data.store.opening import open_store
from trainer.data.store.store import Range

_FILMS, _SIDE, _RANGE_BYTES = 8192, 256, 8 * 2**20


def main() -> None:
    """Prints a line for each way, twice: the first time is warm-up."""
    with tempfile.TemporaryDirectory(prefix="cxr-bench-s3-") as folder:
        server = new_server(Path(folder))
        bucket = server.bucket()
        os.environ.update(bucket.environment)
        objects = bucket.folder / "training"
        objects.symlink_to(film_set(_FILMS, _SIDE).resolve())
        sizes = {path.name: path.stat().st_size for path in sorted(objects.glob("*.tfrecord"))}
        parts = [
            (name, at, min(_RANGE_BYTES, size - at)) for name, size in sizes.items() for at in range(0, size, 2**23)
        ]
        store = open_store(f"{bucket.url}/training", bucket.config, "benchmark")
        bare = S3Store(
            bucket.name, prefix="training", client_options={"allow_http": True}, virtual_hosted_style_request=False
        )

        def alone(part: tuple[str, int, int]) -> None:
            obstore.get_range(bare, part[0], start=part[1], length=part[2])

        def ranges(part: tuple[str, int, int]) -> None:
            store.read_ranges(part[0], [Range(part[1], part[1] + part[2])])

        def fetch(name: str) -> None:
            with (Path(folder) / name).open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, sizes[name])
                download(store, name, sizes[name], file, threading.Event(), untold)

        process = next(each for each in psutil.Process().children() if "versitygw" in each.name())
        ways: dict[str, Callable[[], object]] = {
            "obstore alone": lambda: list(threads.map(alone, parts)),
            "Store.read_ranges": lambda: list(threads.map(ranges, parts)),
            "download: hashed, into a file": lambda: list(threads.map(fetch, sizes)),
        }
        with ThreadPoolExecutor(8) as threads:
            for _ in range(2):
                for name, way in ways.items():
                    print(name, _measured(way, process, sum(sizes.values()) / 2**30))
        server.stop()


def _measured(way: Callable[[], object], server: psutil.Process, gibibytes: float) -> str:
    before, own, began = sum(server.cpu_times()[:2]), time.process_time(), time.perf_counter()
    way()
    wall, own = time.perf_counter() - began, time.process_time() - own
    theirs = sum(server.cpu_times()[:2]) - before
    return f"{gibibytes / wall:.2f} GiB/s, reader {own / gibibytes:.2f}, server {theirs / gibibytes:.2f} s/GiB"


if __name__ == "__main__":
    main()
