"""Films for the tests of scores: few values, so that most are ties; unknown labels; patients of several films."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Array = npt.NDArray[np.float64]


class Films(NamedTuple):
    """Scores and labels (NaN unknown) float [films, classes], and patients [films]."""

    scores: npt.NDArray[np.float32]
    labels: Array
    patients: npt.NDArray[np.int64]


@st.composite
def some_films(draw: st.DrawFn, classes: int = 2) -> Films:
    """Up to 60 films; a class may lack positives, negatives or known films at all."""
    films = draw(st.integers(1, 60))
    values = draw(st.integers(1, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    rate = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    labels = (random.random((films, classes)) < rate).astype(float)
    labels[random.random(labels.shape) < draw(st.sampled_from([0.0, 0.2, 1.0]))] = np.nan
    scores = random.integers(0, values + 1, labels.shape) / values
    return Films(scores.astype(np.float32), labels, random.integers(0, max(1, films // 2), films))


def some_cohort(films: int = 240, classes: int = 3, seed: int = 1) -> Films:
    """Scores that know something, in one decimal, labels with unknown ones, and patients of three films."""
    random = np.random.default_rng(seed)
    labels = (random.random((films, classes)) < 0.4).astype(float)
    scores = 1 / (1 + np.exp(-np.round(random.normal(size=labels.shape) + labels, 1)))
    labels[random.random(labels.shape) < 0.1] = np.nan
    return Films(scores.astype(np.float32), labels, random.permutation(np.arange(films) % (films // 3)))
