"""From the start of ``cxr-train train`` to the end of its first step, and where that time goes."""

import shutil
import time
from statistics import median
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.result import FOLDER, Finding
from benchmarks.sides import Side, program

MINUTES = 1.5


class Scale(NamedTuple):
    """One step of ``model``."""

    model: str
    image_size: int
    films: int
    repetitions: int


FULL, QUICK = Scale("resnet34", 224, 32, 3), Scale("simple_cnn", 32, 2, 1)


def measure(*, quick: bool) -> list[Finding]:
    """The median of fresh processes; files are in the page cache."""
    scale = QUICK if quick else FULL
    runs = [_stages(scale) for _ in range(scale.repetitions)]
    stages = {name: [each[name] for each in runs] for name in runs[0]}
    total = median(sum(each.values()) for each in runs)
    what = f"process start to end of step 1, {scale.model}, {scale.image_size} px, batch {scale.films}"
    return [Finding(what, stages, "s", total, "s")]


def _stages(scale: Scale) -> dict[str, float]:
    run = FOLDER / "startup"
    shutil.rmtree(run, ignore_errors=True)
    config = {
        "data": {"training": str(film_set(scale.films, scale.image_size))},
        "model": {"name": scale.model},
        "train": {"epochs": 1, "global_batch_size": scale.films},
        "checkpoint": {"directory": str(run)},
    }
    began = time.monotonic()
    with Side("startup", [program("first_step", {"config": config, "began": began})]) as side:
        return {name: float(seconds) for name, seconds in side()[0].items()}
