"""Intervals of the scores by a bootstrap over patients, since films of one patient are not independent."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import Floats, Ranking
from trainer.metrics.auroc import mean_over as mean_of

BLOCK_WEIGHTS = 1 << 17
"""Weights (resamples times films) held at once: 1 MiB, so that a block stays in a core's cache."""


@dataclass(frozen=True)
class Estimate:
    """A score, its percentile interval, and the number of resamples the interval rests on.

    The bounds are NaN without resamples, the value where it is not defined.
    """

    value: float
    low: float
    high: float
    resamples: int


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class, over the films whose label is known."""

    positives: int
    known: int
    auroc: Estimate
    average_precision: Estimate


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


def bootstrap(
    scores: Floats,
    labels: Floats,
    patients: NDArray[Any],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    mean_over: Sequence[int],
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

    Raises:
        DataError: a score is NaN.
    """
    rankings = [Ranking.of(scores[:, each], labels[:, each]) for each in range(labels.shape[1])]
    names, patient_of_film = np.unique(patients, return_inverse=True)
    points = _areas(rankings, np.ones((1, len(labels))))[0]
    weights = _weights(patient_of_film, len(names), resamples, seed)
    draws = np.concatenate([np.empty((0, *points.shape)), *(_areas(rankings, block) for block in weights)])
    left_out = tuple(each for each in mean_over if np.isnan(points[each, 0]))
    kept = [each for each in mean_over if each not in left_out]
    return Scores(
        classes=tuple(_class(labels[:, each], points[each], draws[:, each], confidence) for each in range(len(points))),
        mean_auroc=_estimate(mean_of(points[:, 0], kept), _means(draws[:, kept, 0]), confidence),
        mean_over=tuple(kept),
        left_out=left_out,
        films=len(labels),
        patients=len(names),
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


def _areas(rankings: Sequence[Ranking], weights: Floats) -> NDArray[np.float64]:
    """AUROC and average precision, float64 [weightings, classes, 2]."""
    return np.stack([np.stack(each.areas(weights), axis=-1) for each in rankings], axis=1)


def _weights(
    patient_of_film: NDArray[np.intp], patients: int, resamples: int, seed: int
) -> Iterator[NDArray[np.float64]]:
    """How often each film counts, float64 [block of resamples, films]."""
    random = np.random.default_rng(seed)
    block = max(1, BLOCK_WEIGHTS // max(1, len(patient_of_film)))
    for start in range(0, resamples, block):
        drawn = [random.integers(patients, size=patients) for _ in range(min(block, resamples - start))]
        counts = np.stack([np.bincount(each, minlength=patients) for each in drawn]).astype(np.float64)
        yield counts.take(patient_of_film, axis=1)


def _means(draws: Floats) -> Floats:
    """Mean of each resample, [resamples], from [resamples, classes]: NaN where one class has none."""
    return draws.mean(axis=1) if draws.shape[1] else np.full(len(draws), np.nan)


def _class(labels: Floats, point: Floats, draws: Floats, confidence: float) -> ClassScore:
    return ClassScore(
        positives=int((labels > 0.5).sum()),
        known=int((~np.isnan(labels)).sum()),
        auroc=_estimate(point[0], draws[:, 0], confidence),
        average_precision=_estimate(point[1], draws[:, 1], confidence),
    )


def _estimate(value: float, draws: Floats, confidence: float) -> Estimate:
    used = draws[~np.isnan(draws)]
    if not used.size:
        return Estimate(float(value), float("nan"), float("nan"), 0)
    low, high = np.quantile(used, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(value), float(low), float(high), len(used))
