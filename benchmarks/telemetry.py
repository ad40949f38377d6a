"""What a run's telemetry costs, as a part of its steps: metrics in files, timer, history, log lines, progress bar."""

import shutil
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding
from benchmarks.sides import Side, first_cores, program

MINUTES = 1.5


class Scale(NamedTuple):
    """ResNet-34; steps, tellings, and tenths of a second of watching the bar, in a turn."""

    image_size: int
    films: int
    steps: int
    tellings: int
    tenths: int
    repetitions: int


FULL, QUICK = Scale(224, 32, 3, 2000, 30, 5), Scale(32, 2, 2, 100, 5, 2)


def measure(*, quick: bool) -> list[Finding]:
    """The sum of what the loop waits for and what the bar's thread takes of the cores beside it."""
    scale = QUICK if quick else FULL
    counts = {"step": scale.steps, "tell": scale.tellings, "idle": scale.tenths}
    with Side("telemetry", [program("telemetry_cost", {"config": _config(scale)})]) as side:
        values = in_turn({way: _turn(side, way, count) for way, count in counts.items()}, scale.repetitions)
    step, tell, idle = (median(values[way]) for way in counts)
    bar = idle / len(first_cores(2))
    milliseconds = {
        "telling of a step": [1e3 * each for each in values["tell"]],
        "step": [1e3 * each for each in values["step"]],
    }
    core = {"of one core": [100 * each for each in values["idle"]]}
    return [
        Finding("telemetry, part of the step", milliseconds, "ms", 100 * (tell / step + bar), "%", 0.5, at_most=True),
        Finding("of that, the bar's own thread", core, "%", 100 * bar, "%"),
    ]


def _turn(side: Side, way: str, count: int) -> Callable[[], float]:
    return lambda: float(side(way=way, count=count)[0]["value"])


def _config(scale: Scale) -> dict[str, object]:
    run = FOLDER / "telemetry"
    shutil.rmtree(run, ignore_errors=True)
    return {
        "data": {"training": str(film_set(scale.films, scale.image_size))},
        "train": {"global_batch_size": scale.films},
        "checkpoint": {"directory": str(run)},
    }
