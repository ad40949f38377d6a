"""Area under the ROC curve and average precision of one class or of many, films weighted or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError

Floats = NDArray[np.floating[Any]]


def auroc(scores: Floats, labels: Floats) -> float:
    """Chance that a positive film scores above a negative one, ties counted half (Hanley and McNeil, 1982).

    Args:
        scores: float [films], higher means more likely positive.
        labels: float [films], 1 positive, 0 negative, NaN unknown: masked out.

    Returns:
        NaN without a known positive or without a known negative.

    Raises:
        DataError: a score of a known film is NaN.
    """
    return float(Ranking.of(scores, labels).areas(_once_each(labels))[0][0])


def average_precision(scores: Floats, labels: Floats) -> float:
    """Sum over thresholds of the rise in recall times the precision, equal scores being one threshold.

    Arguments and errors as in ``auroc``; NaN without a known positive.
    """
    return float(Ranking.of(scores, labels).areas(_once_each(labels))[1][0])


def per_class(scores: Floats, labels: Floats) -> NDArray[np.float64]:
    """AUROC of each class, float64 [classes], from scores and labels [films, classes]; NaN as in ``auroc``."""
    return np.array([auroc(scores[:, each], labels[:, each]) for each in range(labels.shape[1])])


def mean_over(values: Floats, classes: Sequence[int]) -> float:
    """Mean of the values [classes] of those classes that have one; NaN if none has."""
    chosen = values[list(classes)]
    known = chosen[~np.isnan(chosen)]
    return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True)
class Ranking:
    """The films of one class, sorted once, so that areas under many weightings of the films cost no sort.

    Equal scores form a group. Only groups that hold a positive add to either area, so the films between
    two of them are summed in one go, as a segment.
    """

    order: NDArray[np.intp]
    """Known films, best score first: indices [known]."""
    segments: NDArray[np.intp]
    """First place in ``order`` of each segment: a group with a positive, or the films before or after it."""
    groups: NDArray[np.intp]
    """Which segments are groups with a positive: indices [groups]."""
    positives: NDArray[np.intp]
    """The positive films, in the order of ``order``: indices [positives]."""
    positive_groups: NDArray[np.intp]
    """First place in ``positives`` of each group: indices [groups]."""

    @classmethod
    def of(cls, scores: Floats, labels: Floats) -> "Ranking":
        """Sort the films of one class: scores and labels float [films], as in ``auroc``."""
        known = np.flatnonzero(~np.isnan(labels))
        _refuse_nan(scores[known])
        order = known[np.argsort(-scores[known], kind="stable")]
        ranked, positive = scores[order], np.flatnonzero(labels[order] > 0.5)
        first = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1]).astype(np.intp)
        last = np.append(first[1:], len(order))
        group_of_positive = np.searchsorted(first, positive, side="right") - 1
        held, positive_groups = np.unique(group_of_positive, return_index=True)
        segments = np.unique(np.concatenate([[0], first[held], last[held]])).astype(np.intp)
        segments = segments[segments < len(order)]
        groups = np.searchsorted(segments, first[held])
        return cls(order, segments, groups, order[positive], positive_groups)

    def areas(self, weights: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """AUROC and average precision under each weighting of the films.

        Args:
            weights: float [weightings, films], 0 and more.

        Returns:
            Two float64 [weightings]; AUROC is NaN where no positive or no negative has weight, average
            precision where no positive has.
        """
        if not len(self.positives):
            unknown = np.full(len(weights), np.nan)
            return unknown, unknown.copy()
        in_segment = np.add.reduceat(weights.take(self.order, axis=1), self.segments, axis=1)
        through = in_segment.cumsum(axis=1)
        positive = np.add.reduceat(weights.take(self.positives, axis=1), self.positive_groups, axis=1)
        return _areas(in_segment[:, self.groups], through[:, self.groups], positive, through[:, -1])


def _areas(
    group: Floats, through: Floats, positive: Floats, total: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both areas from weights [weightings, groups]: of a group, down to its end, of its positives; total of all."""
    positive_through = positive.cumsum(axis=1)
    positives = positive_through[:, -1]
    negatives = total - positives
    negative_through = through - positive_through
    negatives_below = negatives[:, None] - negative_through + 0.5 * (group - positive)
    precision = _ratio(positive_through, through)
    pairs = np.einsum("wg,wg->w", positive, negatives_below)
    return _ratio(pairs, positives * negatives), _ratio(np.einsum("wg,wg->w", positive, precision), positives)


def _ratio(part: Floats, whole: Floats) -> NDArray[np.float64]:
    # A group whose films all have weight 0 has no precision, and adds nothing: its NaN must not spread.
    empty = 0.0 if part.ndim == 2 else np.nan
    return np.divide(part, whole, out=np.full(part.shape, empty), where=whole > 0)


def _once_each(labels: Floats) -> NDArray[np.float64]:
    return np.ones((1, len(labels)))


def _refuse_nan(scores: Floats) -> None:
    missing = int(np.isnan(scores).sum())
    if missing:
        raise DataError(
            "scores",
            missing,
            f"of {len(scores)} scores are not numbers",
            "the model has diverged: lower optimizer.learning_rate or set optimizer.clip_norm",
        )
