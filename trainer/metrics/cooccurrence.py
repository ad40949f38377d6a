"""Which findings come together: counts of films for each pair of classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.estimate import Floats, ratio

Counts = NDArray[np.int64]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cooccurrence:
    """Films of pairs of classes, row and column, whose labels are both known: int64 [classes, classes] each."""

    known: Counts
    """Films at all."""
    with_row: Counts
    """Films with the row's class."""
    with_both: Counts
    """Films with both; on the diagonal, with that class."""

    def given_row(self) -> Array:
        """The part of the films with the row's class that has the column's too; NaN, not defined, where none has it."""
        return ratio(self.with_both.astype(np.float64), self.with_row.astype(np.float64))

    def lift(self) -> Array:
        """How many times as often they come together as if by chance; NaN, not defined, where a class has no films."""
        by_chance = (self.with_row * self.with_row.T).astype(np.float64)
        return ratio((self.with_both * self.known).astype(np.float64), by_chance)


def cooccurrence(labels: Floats) -> Cooccurrence:
    """Of labels float [films, classes], 1, 0, or NaN: unknown, its pairs are masked.

    To count what a model calls, give 1 for films that reach its thresholds, else 0, and NaN where the label is unknown.
    """
    known, found = (~np.isnan(labels)).astype(np.float64), (labels > 0.5).astype(np.float64)
    counts = (known.T @ known, found.T @ known, found.T @ found)
    return Cooccurrence(*(each.round().astype(np.int64) for each in counts))
