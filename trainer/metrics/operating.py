"""What a class's scores reach at each threshold, and the ROC and precision-recall curves drawn through that."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import known_films
from trainer.metrics.estimate import Floats, ratio

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OperatingPoints:
    """Counts of the films that each threshold calls positive: those that score as high, or higher.

    The first threshold is infinity, which calls none; then each score that occurs, falling, down to one that calls all.
    """

    thresholds: Array
    """float64 [points]."""
    true_positives: NDArray[np.int64]
    """Positive films that are called, [points]."""
    false_positives: NDArray[np.int64]
    """Negative films that are called, [points]."""

    @property
    def positives(self) -> int:
        """Positive films in all."""
        return int(self.true_positives[-1])

    @property
    def negatives(self) -> int:
        """Negative films in all."""
        return int(self.false_positives[-1])

    @property
    def sensitivity(self) -> Array:
        """Also called recall: float64 [points], NaN without a positive film."""
        return ratio(self.true_positives.astype(np.float64), np.full(len(self.thresholds), float(self.positives)))

    @property
    def specificity(self) -> Array:
        """float64 [points], NaN without a negative film."""
        spared = (self.negatives - self.false_positives).astype(np.float64)
        return ratio(spared, np.full(len(self.thresholds), float(self.negatives)))

    @property
    def precision(self) -> Array:
        """Also called positive predictive value: float64 [points], NaN where no film is called."""
        called = (self.true_positives + self.false_positives).astype(np.float64)
        return ratio(self.true_positives.astype(np.float64), called)


def operating_points(scores: Floats, labels: Floats) -> OperatingPoints:
    """Of one class.

    Args:
        scores: float [films], higher means more likely positive.
        labels: float [films], 1 positive, 0 negative, NaN unknown: masked out.

    Raises:
        DataError: a score of a known film is NaN.
    """
    known = known_films(scores, labels)
    distinct, place = np.unique(-scores[known].astype(np.float64), return_inverse=True)
    positive = labels[known] > 0.5
    true = np.bincount(place[positive], minlength=len(distinct)).cumsum()
    false = np.bincount(place[~positive], minlength=len(distinct)).cumsum()
    return OperatingPoints(np.append(np.inf, -distinct), np.append(0, true), np.append(0, false))


@dataclass(frozen=True)
class Curve:
    """Points of a curve, in the order of falling thresholds."""

    x: Array
    """False positive rate (1 - specificity) of ROC, recall of precision-recall; float64 [points], never falling."""
    y: Array
    """Sensitivity of ROC, precision of precision-recall; float64 [points]."""
    thresholds: Array
    """float64 [points]."""

    def thinned(self, points: int) -> "Curve":
        """At most so many points (2 or more), the ends among them, about evenly spread along the curve, for drawing."""
        along = np.append(0.0, (np.abs(np.diff(self.x)) + np.abs(np.diff(self.y))).cumsum())
        wanted = np.searchsorted(along, np.linspace(0.0, along[-1], points))
        kept = np.unique(np.concatenate([[0], wanted[1:-1], [len(along) - 1]])).astype(np.intp)
        return self if len(along) <= points else self._at(kept)

    def _at(self, kept: NDArray[np.intp]) -> "Curve":
        return Curve(self.x[kept], self.y[kept], self.thresholds[kept])


def roc_curve(points: OperatingPoints) -> Curve | None:
    """From (0, 0) to (1, 1), without the points on a straight line between their neighbours.

    To be joined by straight lines: the area below is ``auroc``. None, not defined, without a positive or a negative.
    """
    if not (points.positives and points.negatives):
        return None
    bends = np.diff(points.true_positives, 2) != 0
    bends |= np.diff(points.false_positives, 2) != 0
    corner = np.flatnonzero(np.concatenate([[True], bends, [True]]))
    return Curve(points.false_positives / points.negatives, points.sensitivity, points.thresholds)._at(corner)


def precision_recall_curve(points: OperatingPoints) -> Curve | None:
    """One point for each threshold that brings in a positive film, to recall 1; None, not defined, without a positive.

    To be drawn as steps back from each point, at its precision: the area below is then ``average_precision``. Straight
    lines would promise what no threshold gives (Davis and Goadrich, 2006).
    """
    if not points.positives:
        return None
    rises = np.flatnonzero(np.diff(points.true_positives)) + 1
    return Curve(points.sensitivity, points.precision, points.thresholds)._at(rises)
