"""Sides measured in turn, A B A B, because timings drift on any shared machine; pairs drift together."""

import statistics
from collections.abc import Callable, Mapping, Sequence

Measurements = dict[str, list[float]]


def in_turn(sides: Mapping[str, Callable[[], float]], repetitions: int) -> Measurements:
    """So many rounds; in each, one measurement of every side."""
    values: Measurements = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, measure in sides.items():
            values[name].append(measure())
    return values


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of ours divided by theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
