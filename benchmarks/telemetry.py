"""What a run's telemetry costs, as a part of its steps: metrics in files, timer, history, log lines, progress bar."""

import shutil
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding
from benchmarks.sides import Side, first_cores, program
from trainer.config import TelemetryConfig

MINUTES = 1.5


class Scale(NamedTuple):
    """Steps, tellings, and tenths of a second of watching the bar, in a turn."""

    model: str
    image_size: int
    films: int
    steps: int
    tellings: int
    tenths: int
    repetitions: int


FULL, QUICK = Scale("resnet34", 224, 32, 4, 2000, 30, 7), Scale("simple_cnn", 32, 2, 2, 100, 5, 2)


def measure(*, quick: bool) -> list[Finding]:
    """The sum of what the loop waits for, of the step timed in parts, and of the bar's thread on the cores beside."""
    scale = QUICK if quick else FULL
    counts = {"step": scale.steps, "in parts": scale.steps, "tell": scale.tellings, "idle": scale.tenths}
    with Side("telemetry", [program("telemetry_cost", {"config": _config(scale)})]) as side:
        values = in_turn({way: _turn(side, way, count) for way, count in counts.items()}, scale.repetitions)
    step, in_parts, tell, idle = (median(values[way]) for way in counts)
    telling, sampling = tell / step, (in_parts / step - 1) / TelemetryConfig().phase_sample_steps
    bar = idle / len(first_cores(2))
    names = {"telling of a step": "tell", "step": "step", "step in parts": "in parts"}
    milliseconds = {name: [1e3 * each for each in values[way]] for name, way in names.items()}
    total = 100 * (telling + sampling + bar)
    core = {"of one core": [100 * each for each in values["idle"]]}
    return [
        Finding("telemetry, part of the step", milliseconds, "ms", total, "%", 0.5, at_most=True),
        Finding("of that, the bar's thread (only on a terminal)", core, "%", 100 * bar, "%"),
    ]


def _turn(side: Side, way: str, count: int) -> Callable[[], float]:
    return lambda: float(side(way=way, count=count)[0]["value"])


def _config(scale: Scale) -> dict[str, object]:
    run = FOLDER / "telemetry"
    shutil.rmtree(run, ignore_errors=True)
    return {
        "data": {"training": str(film_set(scale.films, scale.image_size))},
        "model": {"name": scale.model},
        "train": {"global_batch_size": scale.films},
        "checkpoint": {"directory": str(run)},
    }
