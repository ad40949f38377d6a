"""Area under the ROC curve and average precision of one class or of many, films weighted or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DataError
from trainer.metrics.estimate import Floats, ratio


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


def with_value(values: Floats, classes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those of the classes that have a value, and those that have none, of values [classes]."""
    left_out = tuple(each for each in classes if np.isnan(values[each]))
    return tuple(each for each in classes if each not in left_out), left_out


def means(draws: Floats) -> Floats:
    """Mean of each resample, [resamples, ...], from [resamples, ..., classes]; NaN where a class has none."""
    return draws.mean(axis=-1) if draws.shape[-1] else np.full(draws.shape[:-1], np.nan)


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
        known = known_films(scores, labels)
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
        """AUROC and average precision under each weighting of the films: ``Through.areas`` of ``through``."""
        return self.through(weights).areas()

    def through(self, weights: Floats) -> "Through":
        """The weight of films down to each group, best score first: weights float [weightings, films], 0 and more."""
        if not len(self.positives):
            none = np.zeros((len(weights), 0))
            return Through(none, none, none, none, np.zeros(len(weights)), weights.take(self.order, axis=1).sum(axis=1))
        in_segment = np.add.reduceat(weights.take(self.order, axis=1), self.segments, axis=1)
        through = in_segment.cumsum(axis=1)
        positive = np.add.reduceat(weights.take(self.positives, axis=1), self.positive_groups, axis=1)
        positive_through = positive.cumsum(axis=1)
        positives = positive_through[:, -1]
        return Through(
            in_segment[:, self.groups],
            positive,
            through[:, self.groups],
            positive_through,
            positives,
            through[:, -1] - positives,
        )


@dataclass(frozen=True)
class Through:
    """Weights of films under weightings, float64 [weightings, groups], groups as in ``Ranking``, best score first.

    All that depends on how films rank follows from these: the areas, and what is reached at a threshold.
    """

    group: NDArray[np.float64]
    """Of a group's films."""
    positive: NDArray[np.float64]
    """Of a group's positive films."""
    through: NDArray[np.float64]
    """Of the films down to a group's end."""
    positive_through: NDArray[np.float64]
    """Of the positive films down to a group's end."""
    positives: NDArray[np.float64]
    """Of all positive films, [weightings]."""
    negatives: NDArray[np.float64]
    """Of all negative films, [weightings]."""

    def areas(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """AUROC and average precision, two float64 [weightings]."""
        return self.auroc(), self.average_precision()

    def auroc(self) -> NDArray[np.float64]:
        """Float64 [weightings]; NaN where no positive or no negative has weight."""
        negatives_below = self._negatives_below + 0.5 * (self.group - self.positive)
        pairs = np.einsum("wg,wg->w", self.positive, negatives_below)
        return ratio(pairs, self.positives * self.negatives)

    def average_precision(self) -> NDArray[np.float64]:
        """Float64 [weightings]; NaN where no positive has weight."""
        # A group whose films all have weight 0 has no precision, and adds nothing: its NaN must not spread.
        precision = np.nan_to_num(ratio(self.positive_through, self.through))
        return ratio(np.einsum("wg,wg->w", self.positive, precision), self.positives)

    def sensitivity_at(self, specificity: float) -> NDArray[np.float64]:
        """The highest sensitivity of the thresholds whose specificity is at least that, float64 [weightings].

        No point between two thresholds is made up; 0 if the best score is a negative's too often. NaN where no positive
        or no negative has weight.
        """
        allowed = ratio(self._negatives_below, self._each(self.negatives)) >= specificity
        found = np.where(allowed, self.positive_through, 0.0).max(axis=1, initial=0.0)
        return self._where_both(ratio(found, self.positives))

    def specificity_at(self, sensitivity: float) -> NDArray[np.float64]:
        """The highest specificity of the thresholds whose sensitivity is at least that (above 0), as above."""
        reached = ratio(self.positive_through, self._each(self.positives)) >= sensitivity
        found = np.where(reached, self._negatives_below, 0.0).max(axis=1, initial=0.0)
        return self._where_both(ratio(found, self.negatives))

    @cached_property
    def _negatives_below(self) -> NDArray[np.float64]:
        """Of the negative films below a group's end."""
        return self.negatives[:, None] - (self.through - self.positive_through)

    def _each(self, of_weighting: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.broadcast_to(of_weighting[:, None], self.group.shape)

    def _where_both(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where((self.positives > 0) & (self.negatives > 0), found, np.nan)


def known_films(scores: Floats, labels: Floats) -> NDArray[np.intp]:
    """The films of one class whose label is known, indices [known]. Raises DataError if a score of theirs is NaN."""
    known = np.flatnonzero(~np.isnan(labels))
    missing = int(np.isnan(scores[known]).sum())
    if missing:
        raise DataError(
            "scores",
            missing,
            f"of {len(known)} scores are not numbers",
            "the model has diverged: lower optimizer.learning_rate or set optimizer.clip_norm",
        )
    return known


def aurocs(rankings: Sequence[Sequence[Ranking]], weights: Floats) -> NDArray[np.float64]:
    """AUROC of rows of rankings, a ranking a class, under each weighting: float64 [weightings, rows, classes].

    Args:
        rankings: of the same films, as of several models or of several groups of the films.
        weights: float [weightings, films], 0 and more.
    """
    return np.stack([np.stack([each.through(weights).auroc() for each in row], axis=-1) for row in rankings], axis=1)


def _once_each(labels: Floats) -> NDArray[np.float64]:
    return np.ones((1, len(labels)))
