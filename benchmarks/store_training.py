"""Training from an S3 server through the node's cache, against training from films in memory; first epoch and later."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import Measurements, in_turn
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sides import Side, program
from tests.s3 import new_server

MINUTES = 19.0

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system in memory is what is meant
STORE, MEMORY = "store", "memory"


class Scale(NamedTuple):
    """A job trains a step to warm up, then whole epochs of ``films`` films; each repetition starts both jobs anew."""

    model: str
    image_size: int
    films: int
    batch: int
    later_epochs: int
    repetitions: int


# The main job on small films, and one that asks for films as fast as two cores can: its network costs next to nothing.
FULL = (Scale("resnet34", 128, 480, 32, 2, 2), Scale("simple_cnn", 64, 32768, 256, 2, 3))
QUICK = (Scale("simple_cnn", 32, 16, 4, 1, 2),)


def measure(*, quick: bool) -> list[Finding]:
    """The films of both jobs, their order and all else are the same; the cache is empty at each job's start."""
    return [finding for scale in (QUICK if quick else FULL) for finding in _measure(scale)]


def _measure(scale: Scale) -> list[Finding]:
    first: Measurements = {STORE: [], MEMORY: []}
    later: Measurements = {STORE: [], MEMORY: []}
    with tempfile.TemporaryDirectory(prefix="cxr-bench-s3-") as folder, _films_in_memory(scale) as films:
        server = new_server(Path(folder))
        try:
            bucket = server.bucket()
            (bucket.folder / "training").symlink_to(films)
            os.environ.update(bucket.environment)
            cache = Path(folder) / "cache"
            given = {
                STORE: {
                    "store": bucket.config.model_dump(),
                    "data": {"training": f"{bucket.url}/training", "cache": {"directory": str(cache)}},
                },
                MEMORY: {"data": {"training": str(films)}},
            }
            for _ in range(scale.repetitions):
                shutil.rmtree(cache, ignore_errors=True)
                _repetition(scale, given, first, later)
        finally:
            server.stop()
    what = f"{scale.model}, {scale.image_size} px, batch {scale.batch}, {scale.films} films an epoch"
    return [
        ratio(f"first epoch, cache empty: {what}", first, STORE, MEMORY, unit="films/s", target=0.95),
        ratio(f"later epochs: {what}", later, STORE, MEMORY, unit="films/s", target=0.98),
    ]


def _repetition(
    scale: Scale, given: Mapping[str, Mapping[str, object]], first: Measurements, later: Measurements
) -> None:
    """Both jobs from their start, an epoch of one after an epoch of the other."""
    with (
        Side("store-training", [_job(scale, STORE, given)]) as store,
        Side("store-training-memory", [_job(scale, MEMORY, given)]) as memory,
    ):
        turns = {STORE: lambda: store()[0]["seconds"], MEMORY: lambda: memory()[0]["seconds"]}
        for into, epochs in ((first, 1), (later, scale.later_epochs)):
            for name, seconds in in_turn(turns, epochs).items():
                into[name] += [scale.films / each for each in seconds]


def _job(scale: Scale, name: str, given: Mapping[str, Mapping[str, object]]) -> list[str]:
    run = FOLDER / f"store-training-{name}"
    shutil.rmtree(run, ignore_errors=True)
    config = {
        **given[name],
        "model": {"name": scale.model},
        # One more than is measured, since the step that warms up shifts the turns by one.
        "train": {"epochs": scale.later_epochs + 2, "global_batch_size": scale.batch},
        "checkpoint": {"directory": str(run), "every_steps": 10**9},
    }
    steps = scale.films // scale.batch
    return program("job", {"config": config, "warm_steps": 1, "segment_steps": steps})


@contextmanager
def _films_in_memory(scale: Scale) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cxr-bench-", dir=_MEMORY) as folder:
        copied = Path(folder) / "training"
        shutil.copytree(film_set(scale.films, scale.image_size), copied)
        yield copied
