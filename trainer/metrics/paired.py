"""Whether one model's AUROC is better than another's on the same films: differences, resampled together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import Ranking, aurocs, means, with_value
from trainer.metrics.auroc import mean_over as mean_of
from trainer.metrics.estimate import Estimate, Floats
from trainer.metrics.resampling import Resampling

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """B's AUROC less A's, NaN where not defined."""

    a: float
    b: float
    difference: Estimate
    p: float
    """Two-sided: about the smallest error at which the percentile interval of the difference leaves out 0.

    Twice the smaller part of the resamples that lie on either side of 0 or on it, both counted with one more (Efron and
    Tibshirani, 1993, ch. 15): never 0, and at least 2 / (resamples + 1). Not corrected for the number of classes.
    """


@dataclass(frozen=True)
class ClassDifference(Difference):
    """Of one class, over the films whose label is known."""

    positives: int
    known: int


@dataclass(frozen=True)
class Differences:
    """Of all classes, in the order of the columns, and of their mean."""

    classes: tuple[ClassDifference, ...]
    mean: Difference
    """Over the classes in ``mean_over``."""
    mean_over: tuple[int, ...]
    left_out: tuple[int, ...]
    """Classes that were to be in the mean and have no AUROC: no positives, or no negatives."""
    films: int
    patients: int
    resamples: int
    confidence: float
    seed: int


def paired(
    a: Floats,
    b: Floats,
    labels: Floats,
    patients: NDArray[Any],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    mean_over: Sequence[int],
) -> Differences:
    """The differences of B's and A's AUROC, with percentile intervals over patients, each draw taken for both models.

    What makes a film easy or hard is the same for both and falls out of the difference, so its interval is narrower
    than the two scores' own intervals let expect.

    Args:
        a: scores of one model, float [films, classes].
        b: scores of another, of the same films and classes.
        labels: float [films, classes], 1, 0, or NaN: unknown, masked.
        patients: [films], integers or strings, drawn with replacement as in ``bootstrap.bootstrap``.
        resamples: number drawn; 0: no intervals and no p.
        confidence: of the intervals, between 0 and 1.
        seed: same seed, same intervals.
        mean_over: columns of the mean; those without positives or negatives are left out, and named.

    Raises:
        DataError: a score is NaN.
    """
    rankings = [[Ranking.of(each, label) for each, label in zip(of.T, labels.T, strict=True)] for of in (a, b)]
    resampling = Resampling.of(patients, resamples=resamples, seed=seed)
    points, draws = resampling.scored(lambda weights: aurocs(rankings, weights))
    kept, left_out = with_value(points[0], mean_over)
    return Differences(
        classes=tuple(
            _of_class(points[:, each], draws[:, :, each], confidence, labels[:, each])
            for each in range(labels.shape[1])
        ),
        mean=_difference(np.array([mean_of(each, kept) for each in points]), means(draws[:, :, kept]), confidence),
        mean_over=kept,
        left_out=left_out,
        films=len(labels),
        patients=resampling.patients,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def _difference(points: Array, draws: Array, confidence: float) -> Difference:
    """Of two AUROCs [2] and their draws [resamples, 2]."""
    return Difference(*_compared(points, draws, confidence))


def _of_class(points: Array, draws: Array, confidence: float, labels: Floats) -> ClassDifference:
    """Likewise, and of labels [films]."""
    known = ~np.isnan(labels)
    return ClassDifference(*_compared(points, draws, confidence), int((labels > 0.5).sum()), int(known.sum()))


def _compared(points: Array, draws: Array, confidence: float) -> tuple[float, float, Estimate, float]:
    differences = draws[:, 1] - draws[:, 0]
    estimate = Estimate.of(float(points[1] - points[0]), differences, confidence)
    return float(points[0]), float(points[1]), estimate, _two_sided(differences)


def _two_sided(differences: Array) -> float:
    used = differences[~np.isnan(differences)]
    if not len(used):
        return float("nan")
    smaller = min((used <= 0).sum(), (used >= 0).sum())
    return min(1.0, 2 * (1 + int(smaller)) / (1 + len(used)))
