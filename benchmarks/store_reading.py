"""Films from an S3 server into batches, against obstore alone, and with SHA-256; a full cache; the first batch."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import in_turn
from benchmarks.result import Finding, ratio
from benchmarks.sides import Side, first_cores, program
from tests.s3 import S3Server, new_server

MINUTES = 4.0


class Scale(NamedTuple):
    """Films of ``image_size`` pixels in batches; every one is read once in a turn."""

    films: int
    image_size: int
    batch: int
    repetitions: int


FULL, QUICK = Scale(8192, 256, 32, 3), Scale(128, 64, 8, 2)


def measure(*, quick: bool) -> list[Finding]:
    """With the server on the reader's cores, and on a core of its own, as on another machine."""
    scale = QUICK if quick else FULL
    cores = first_cores(2)
    return [
        *_measure(scale, "server and reader share two cores", server=cores, reader=cores),
        *_measure(scale, "server on one core, reader on another", server=cores[:1], reader=cores[1:]),
    ]


def _measure(scale: Scale, where: str, *, server: Sequence[int], reader: Sequence[int]) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="cxr-bench-s3-") as folder:
        # The server inherits the cores.
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, server)
        s3 = new_server(Path(folder))
        os.sched_setaffinity(0, allowed)
        try:
            return _findings(scale, where, s3, reader, Path(folder) / "cache")
        finally:
            s3.stop()


def _findings(scale: Scale, where: str, s3: S3Server, cores: Sequence[int], cache: Path) -> list[Finding]:
    bucket = s3.bucket()
    (bucket.folder / "training").symlink_to(film_set(*scale[:2]).resolve())
    os.environ.update(bucket.environment)
    given = {
        "cores": list(cores),
        "films": scale.films,
        "image_size": scale.image_size,
        "batch": scale.batch,
        "store": bucket.config.model_dump(),
        "bucket": f"{bucket.url}/training",
        "cache": str(cache),
    }
    with Side("store-reading", [program("store_reading", given)]) as side:
        cold = ("obstore_alone", "obstore_hashed", "bare_cache", "cold")
        speeds = in_turn({way: _speed(side, way, "bytes") for way in cold}, scale.repetitions)
        films = in_turn({way: _speed(side, way, "films") for way in ("bare", "warm")}, scale.repetitions)
        first = in_turn({way: _seconds(side, way) for way in ("first_warm", "first_cold")}, scale.repetitions)
    what = f"{scale.films} raw films of {scale.image_size} px, {where}"
    in_mib = {way: [each / 2**20 for each in values] for way, values in speeds.items()}
    return [
        ratio(f"empty cache: {what}", in_mib, "cold", "obstore_alone", unit="MiB/s", target=0.9),
        ratio(f"empty cache: {what}", in_mib, "cold", "obstore_hashed", unit="MiB/s", target=None),
        ratio(f"empty cache: {what}", in_mib, "cold", "bare_cache", unit="MiB/s", target=None),
        ratio(f"the hash's part: {what}", in_mib, "obstore_hashed", "obstore_alone", unit="MiB/s", target=None),
        ratio(f"the cache's part: {what}", in_mib, "bare_cache", "obstore_alone", unit="MiB/s", target=None),
        ratio(f"full cache: {what}", films, "warm", "bare", unit="films/s", target=0.5),
        *(
            Finding(f"first batch in mid-epoch, {way}: {what}", {name: first[name]}, "s", median(first[name]), "s")
            for name, way in (("first_cold", "empty cache"), ("first_warm", "full cache"))
        ),
    ]


def _speed(side: Side, way: str, of: str) -> Callable[[], float]:
    def turn() -> float:
        answer = side(way=way)[0]
        return float(answer[of] / answer["seconds"])

    return turn


def _seconds(side: Side, way: str) -> Callable[[], float]:
    return lambda: float(side(way=way)[0]["seconds"])
