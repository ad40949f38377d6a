"""Intervals of a whole test set's scores: 1,000 resamples of NIH's 25,596 test films, 15 classes, on one core."""

from statistics import median
from typing import NamedTuple

from benchmarks.pairs import in_turn
from benchmarks.result import Finding
from benchmarks.sides import Side, first_cores, program

MINUTES = 0.5


class Scale(NamedTuple):
    """AUROC and average precision of each class, patients resampled."""

    films: int
    classes: int
    resamples: int
    repetitions: int


FULL, QUICK = Scale(25_596, 15, 1000, 3), Scale(256, 15, 20, 2)


def measure(*, quick: bool) -> list[Finding]:
    """Seconds of ``bootstrap``."""
    scale = QUICK if quick else FULL
    given = {"cores": first_cores(1), "films": scale.films, "classes": scale.classes, "resamples": scale.resamples}
    with Side("bootstrap", [program("scoring", given)]) as side:
        seconds = in_turn({"bootstrap": lambda: float(side()[0]["seconds"])}, scale.repetitions)
    what = f"{scale.resamples} resamples of {scale.films} films x {scale.classes} classes"
    return [Finding(what, seconds, "s", median(seconds["bootstrap"]), "s", 10.0, at_most=True)]
