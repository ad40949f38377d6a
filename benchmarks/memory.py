"""Memory of a training rank at N and 4N films, trained for as many steps: the films stay in their files."""

import shutil
import sys
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.result import FOLDER, Finding
from benchmarks.sampled import Peak, peak_memory

MINUTES = 1.5

LARGEST_GROWTH = 1.05
"""Of memory from N to 4N films: what two equal runs may differ by."""


class Scale(NamedTuple):
    """Four epochs of ResNet-18 over ``films`` (N), then one over four times as many: as many steps."""

    films: int
    image_size: int
    batch: int


FULL, QUICK = Scale(1024, 128, 32), Scale(32, 32, 8)

_TIMES = 4


def measure(*, quick: bool) -> list[Finding]:
    """Told beside: with pages of the shards that were read, which the kernel takes back when it needs them."""
    scale = QUICK if quick else FULL
    peaks = {scale.films * times: _peak(scale, times) for times in (1, _TIMES)}
    what = f"peak of a run, ResNet-18, {scale.image_size} px raw"
    return [
        _growth(what, {count: peak.anonymous for count, peak in peaks.items()}, LARGEST_GROWTH),
        _growth(f"{what}, with pages of files", {count: peak.resident for count, peak in peaks.items()}, None),
    ]


def _growth(what: str, peaks: dict[int, float], target: float | None) -> Finding:
    few, many = peaks.values()
    sides = {f"{count} films": [peak] for count, peak in peaks.items()}
    return Finding(what, sides, "MiB", many / few, "x", target, at_most=True)


def _peak(scale: Scale, times: int) -> Peak:
    run = FOLDER / "memory"
    shutil.rmtree(run, ignore_errors=True)
    values = {
        "data.training": film_set(scale.films * times, scale.image_size),
        "model.name": "resnet18",
        "train.epochs": _TIMES // times,
        "train.global_batch_size": scale.batch,
        "checkpoint.directory": run,
    }
    settings = [f"--set={key}={value}" for key, value in values.items()]
    command = [sys.executable, "-m", "trainer.cli", "train", *settings]
    return peak_memory(command, FOLDER / "logs" / "memory.log")
