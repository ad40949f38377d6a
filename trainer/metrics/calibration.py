"""Whether films scored 0.3 have the finding three times in ten: Brier score, calibration error, reliability curve."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import known_films
from trainer.metrics.estimate import Estimate, Floats, ratio
from trainer.metrics.resampling import Resampling

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Films of similar score: a point of the reliability curve, at (``score``, ``observed``)."""

    films: int
    lowest: float
    """Score among them."""
    highest: float
    """Score among them."""
    score: float
    """Their mean."""
    observed: Estimate
    """The part of them that has the finding."""


@dataclass(frozen=True)
class Calibration:
    """Of the films of one class whose label is known, scores being probabilities."""

    brier: Estimate
    """Mean squared difference of score and label (Brier, 1950): 0 is best."""
    error: Estimate
    """Expected calibration error: the mean over films of the distance, in their bin, of mean score and ``observed``.

    Even a calibrated model has some by chance, and a resample of its films has more: with few films the interval lies
    high, and may lie above the value.
    """
    bins: tuple[Bin, ...]


def calibration(
    scores: Floats,
    labels: Floats,
    patients: NDArray[Any],
    *,
    bins: int,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[Calibration | None, ...]:
    """Of each class; None, not defined, for one without a known film.

    Bins hold equally many films, ties apart (Nguyen and O'Connor, 2015): most findings are rare, and of bins of equal
    width the lowest would hold nearly all films. Films of equal score share a bin. Resamples keep the bins.

    Args:
        scores: float [films, classes], 0 to 1.
        labels: float [films, classes], 1, 0, or NaN: unknown, masked.
        patients: [films], integers or strings, drawn with replacement as in ``bootstrap.bootstrap``.
        bins: 1 or more; fewer are used where scores are tied.
        resamples: number drawn; 0: no intervals.
        confidence: of the intervals, between 0 and 1.
        seed: same seed, same intervals.

    Raises:
        DataError: a score of a known film is NaN.
    """
    resampling = Resampling.of(patients, resamples=resamples, seed=seed)
    columns = zip(scores.T.astype(np.float64), labels.T.astype(np.float64), strict=True)
    return tuple(_of_class(*each, bins, resampling, confidence) for each in columns)


def equal_mass_bins(scores: Floats, bins: int) -> NDArray[np.intp]:
    """The bin of each film, [films], from 0, without gaps: by the middle rank of its score, equal ones together."""
    _, place, films = np.unique(scores, return_inverse=True, return_counts=True)
    middle = films.cumsum() - films / 2
    _, bin_of_score = np.unique((middle * bins / len(scores)).astype(np.intp), return_inverse=True)
    found: NDArray[np.intp] = bin_of_score[place]
    return found


def _of_class(scores: Array, labels: Array, bins: int, resampling: Resampling, confidence: float) -> Calibration | None:
    known = known_films(scores, labels)
    if not len(known):
        return None
    bin_of_film = equal_mass_bins(scores[known], bins)
    columns = _columns(scores, labels, known, bin_of_film)
    value, draws = _Sums(columns.sum(axis=0)[None]), _Sums(resampling.sums(columns))
    observed, drawn = value.observed()[0], draws.observed()
    return Calibration(
        Estimate.of(float(value.brier()[0]), draws.brier(), confidence),
        Estimate.of(float(value.error()[0]), draws.error(), confidence),
        tuple(
            _bin(scores[known][bin_of_film == each], Estimate.of(float(observed[each]), drawn[:, each], confidence))
            for each in range(len(observed))
        ),
    )


def _bin(scores: Array, observed: Estimate) -> Bin:
    return Bin(len(scores), float(scores.min()), float(scores.max()), float(scores.mean()), observed)


def _columns(scores: Array, labels: Array, known: NDArray[np.intp], bin_of_film: NDArray[np.intp]) -> Array:
    """What ``_Sums`` are sums of, [films, 1 + 3 * bins]; 0 for a film of unknown label."""
    bins = int(bin_of_film.max()) + 1
    columns = np.zeros((len(scores), 1 + 3 * bins))
    score, label = scores[known], labels[known]
    columns[known, 0] = (score - label) ** 2
    for place, values in enumerate((np.ones(len(known)), label, score)):
        columns[known, 1 + place * bins + bin_of_film] = values
    return columns


class _Sums:
    """Sums over films, [rows, 1 + 3 * bins]: squared differences; then, a bin each, films, labels and scores."""

    def __init__(self, sums: Array) -> None:
        self._squares = sums[:, 0]
        self._films, self._labels, self._scores = np.split(sums[:, 1:], 3, axis=1)

    def brier(self) -> Array:
        """[rows]; NaN where no film has weight."""
        return ratio(self._squares, self._films.sum(axis=1))

    def error(self) -> Array:
        """[rows]; NaN where no film has weight."""
        return ratio(np.abs(self._scores - self._labels).sum(axis=1), self._films.sum(axis=1))

    def observed(self) -> Array:
        """[rows, bins]; NaN where no film of the bin has weight."""
        return ratio(self._labels, self._films)
