"""Memory of a training rank: of the main job, and at N and 4N films trained for as many steps (films stay in files)."""

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
    """Epochs of ``model`` over ``films``."""

    model: str
    films: int
    image_size: int
    batch: int


# Four epochs of N films, then one over four times as many: as many steps.
FULL, QUICK = Scale("resnet18", 1024, 128, 32), Scale("resnet18", 32, 32, 8)
MAIN_JOB, QUICK_MAIN_JOB = Scale("resnet34", 64, 224, 32), Scale("resnet34", 16, 32, 8)

_TIMES = 4


def measure(*, quick: bool) -> list[Finding]:
    """Told beside: with pages of the shards that were read, which the kernel takes back when it needs them."""
    scale = QUICK if quick else FULL
    peaks = {scale.films * times: _peak(scale, times) for times in (1, _TIMES)}
    main_job = QUICK_MAIN_JOB if quick else MAIN_JOB
    whole = _peak(main_job, 1).resident
    what = f"peak of a run, {scale.model}, {scale.image_size} px raw"
    return [
        Finding(
            f"peak of a run, {main_job.model}, {main_job.image_size} px, batch {main_job.batch}",
            {"with pages of files": [whole]},
            "MiB",
            whole,
            "MiB",
        ),
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
        "model.name": scale.model,
        "train.epochs": _TIMES // times,
        "train.global_batch_size": scale.batch,
        "checkpoint.directory": run,
    }
    settings = [f"--set={key}={value}" for key, value in values.items()]
    command = [sys.executable, "-m", "trainer.cli", "train", *settings]
    return peak_memory(command, FOLDER / "logs" / "memory.log")
