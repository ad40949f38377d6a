"""Intervals of the scores by a bootstrap over patients, since films of one patient are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import Ranking, means, with_value
from trainer.metrics.auroc import mean_over as mean_of
from trainer.metrics.estimate import Estimate, Floats
from trainer.metrics.resampling import Resampling


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class, over the films whose label is known."""

    positives: int
    known: int
    auroc: Estimate
    average_precision: Estimate
    sensitivity: Estimate
    """The highest one at ``Scores.at_specificity`` or more."""
    specificity: Estimate
    """The highest one at ``Scores.at_sensitivity`` or more."""


@dataclass(frozen=True)
class Scores:
    """Scores of all classes, in the order of the columns."""

    classes: tuple[ClassScore, ...]
    mean_auroc: Estimate
    """Over the classes in ``mean_over``."""
    mean_over: tuple[int, ...]
    left_out: tuple[int, ...]
    """Classes that were to be in the mean and have no AUROC: no positives, or no negatives."""
    films: int
    patients: int
    resamples: int
    """Drawn; an estimate rests on fewer where some hold no positive (or no negative) of its class."""
    confidence: float
    seed: int
    at_specificity: float
    at_sensitivity: float


def bootstrap(
    scores: Floats,
    labels: Floats,
    patients: NDArray[Any],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    mean_over: Sequence[int],
    at_specificity: float,
    at_sensitivity: float,
) -> Scores:
    """Score each class, with percentile intervals over resampled patients (Efron and Tibshirani, 1993, ch. 13).

    Patients are drawn with replacement; a film counts as often as its patient was drawn. A resample in which a
    class has no positive or no negative is left out for that class, and for the mean if the class is in it.

    Args:
        scores: float [films, classes].
        labels: float [films, classes], 1, 0, or NaN: unknown, masked.
        patients: [films], integers or strings.
        resamples: number drawn; 0: no intervals.
        confidence: of the intervals, between 0 and 1.
        seed: same seed, same intervals.
        mean_over: columns of the mean AUROC; those without positives or negatives are left out, and named.
        at_specificity: between 0 and 1, at which sensitivity is told.
        at_sensitivity: between 0 and 1, at which specificity is told.

    Raises:
        DataError: a score is NaN.
    """
    rankings = [Ranking.of(scores[:, each], labels[:, each]) for each in range(labels.shape[1])]
    resampling = Resampling.of(patients, resamples=resamples, seed=seed)
    points, draws = resampling.scored(lambda weights: _scores(rankings, weights, at_specificity, at_sensitivity))
    kept, left_out = with_value(points[:, 0], mean_over)
    return Scores(
        classes=tuple(_class(labels[:, each], points[each], draws[:, each], confidence) for each in range(len(points))),
        mean_auroc=Estimate.of(mean_of(points[:, 0], kept), means(draws[:, kept, 0]), confidence),
        mean_over=kept,
        left_out=left_out,
        films=len(labels),
        patients=resampling.patients,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
        at_specificity=at_specificity,
        at_sensitivity=at_sensitivity,
    )


def _scores(
    rankings: Sequence[Ranking], weights: Floats, at_specificity: float, at_sensitivity: float
) -> NDArray[np.float64]:
    """AUROC, average precision, sensitivity and specificity, float64 [weightings, classes, 4]."""
    counted = [each.through(weights) for each in rankings]
    return np.stack(
        [
            np.stack([*each.areas(), each.sensitivity_at(at_specificity), each.specificity_at(at_sensitivity)], axis=-1)
            for each in counted
        ],
        axis=1,
    )


def _class(labels: Floats, point: Floats, draws: Floats, confidence: float) -> ClassScore:
    area, precision, sensitivity, specificity = (
        Estimate.of(float(value), drawn, confidence) for value, drawn in zip(point, draws.T, strict=True)
    )
    return ClassScore(
        positives=int((labels > 0.5).sum()),
        known=int((~np.isnan(labels)).sum()),
        auroc=area,
        average_precision=precision,
        sensitivity=sensitivity,
        specificity=specificity,
    )
