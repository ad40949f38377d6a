"""A run as MLflow knows it, whichever way it is kept: in a server or in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from trainer.checkpoint.history import Row
from trainer.trackers.rows import TOLD_BY, values

RUN_TAG = "cxr_train.run"
"""The tag by which an attempt finds the run that an earlier one began."""


@dataclass(frozen=True)
class RunFacts:
    """What is told of a run beside its history."""

    experiment: str
    name: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]


class Point(NamedTuple):
    """A value of a metric; ``timestamp`` is Unix time in milliseconds."""

    key: str
    value: float
    timestamp: int
    step: int


def points(row: Row) -> list[Point]:
    """What a row of the history comes to."""
    timestamp = int(row.get("time", 0.0) * 1000)
    return [Point(name, value, timestamp, row["step"]) for name, value in values(row).items()]


def told(steps: Mapping[str, int]) -> dict[str, int]:
    """How far a run has been told, by kind of row, from the last steps of its metrics."""
    return {kind: steps[name] for kind, name in TOLD_BY.items() if name in steps}
