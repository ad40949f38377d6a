"""Thresholds, chosen on one set of films (validation), and what they are worth on another (test)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import known_films
from trainer.metrics.estimate import Estimate, Floats, ratio
from trainer.metrics.operating import OperatingPoints, operating_points
from trainer.metrics.resampling import Resampling

Array = NDArray[np.float64]


def youden(points: OperatingPoints) -> float:
    """The threshold with the largest sensitivity + specificity (Youden, 1950); NaN, not defined, without both kinds.

    Of equals the lowest, because a missed finding costs more than a false alarm. A film is called positive if its
    score is the threshold or more.
    """
    if not (points.positives and points.negatives):
        return float("nan")
    # In whole numbers, so that equals are equal.
    gain = points.true_positives * points.negatives - points.false_positives * points.positives
    return float(points.thresholds[np.flatnonzero(gain == gain.max())[-1]])


def at_sensitivity(points: OperatingPoints, sensitivity: float) -> float:
    """The highest threshold whose sensitivity is at least that (above 0); NaN, not defined, without a positive."""
    if not points.positives:
        return float("nan")
    return float(points.thresholds[np.argmax(points.sensitivity >= sensitivity)])


@dataclass(frozen=True)
class Chosen:
    """Thresholds of each class, float64 [classes], NaN where not defined, by the rule that chose them."""

    youden: Array
    at_sensitivity: Array


def choose(scores: Floats, labels: Floats, *, sensitivity: float) -> Chosen:
    """The thresholds of each class by both rules, from scores and labels (1, 0, NaN unknown) [films, classes].

    Raises DataError if a score of a known film is NaN.
    """
    points = [operating_points(scores[:, each], labels[:, each]) for each in range(labels.shape[1])]
    return Chosen(
        youden=np.array([youden(each) for each in points]),
        at_sensitivity=np.array([at_sensitivity(each, sensitivity) for each in points]),
    )


@dataclass(frozen=True)
class Confusion:
    """Films of known label, by what they have and what they are called; and rates with intervals over patients.

    A rate whose denominator is 0 is NaN: not defined.
    """

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    sensitivity: Estimate
    specificity: Estimate
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate


def confusions(
    thresholds: Array,
    scores: Floats,
    labels: Floats,
    patients: NDArray[Any],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[Confusion | None, ...]:
    """What the thresholds [classes] call of these films, class by class; None where a threshold is NaN.

    Films, labels and the bootstrap are as in ``bootstrap.bootstrap``; the thresholds are held fixed in the resamples,
    so an interval tells the doubt of these films, not of the choice. Raises DataError if a score is NaN.
    """
    for each in range(labels.shape[1]):
        known_films(scores[:, each], labels[:, each])
    with_finding, without = labels > 0.5, labels <= 0.5
    called = scores >= thresholds
    kinds = (with_finding & called, without & called, without & ~called, with_finding & ~called)
    columns = np.concatenate(kinds, axis=1).astype(np.float64)
    resampling = Resampling.of(patients, resamples=resamples, seed=seed)
    counts, draws = (
        each.reshape(-1, len(kinds), len(thresholds)) for each in (columns.sum(axis=0), resampling.sums(columns))
    )
    return tuple(
        None if np.isnan(threshold) else _confusion(float(threshold), counts[0, :, each], draws[:, :, each], confidence)
        for each, threshold in enumerate(thresholds)
    )


def _confusion(threshold: float, counts: Array, draws: Array, confidence: float) -> Confusion:
    """From counts [4] and their draws [resamples, 4], in the order of ``Confusion``'s fields."""
    values, drawn = _rates(counts[None])[0], _rates(draws)
    rates = (Estimate.of(float(value), column, confidence) for value, column in zip(values, drawn.T, strict=True))
    true_positives, false_positives, true_negatives, false_negatives = (int(each) for each in counts)
    return Confusion(threshold, true_positives, false_positives, true_negatives, false_negatives, *rates)


def _rates(counts: Array) -> Array:
    """Sensitivity, specificity, positive and negative predictive value, [rows, 4], of counts [rows, 4]."""
    true_positive, false_positive, true_negative, false_negative = counts.T
    part = np.stack([true_positive, true_negative, true_positive, true_negative], axis=1)
    rest = np.stack([false_negative, false_positive, false_positive, false_negative], axis=1)
    return ratio(part, part + rest)
