"""Calibration agrees with scikit-learn and with counting bin by bin; its bins hold equally many films."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from tests.unit.metrics.films import Films, some_cohort, some_films
from trainer.errors import DataError
from trainer.metrics.calibration import calibration, equal_mass_bins

DRAWS = {"bins": 5, "resamples": 40, "confidence": 0.9, "seed": 3}


def untied(films: int = 1000) -> Films:
    """Overconfident scores, no two of them equal, of patients of three films."""
    random = np.random.default_rng(0)
    chance = random.random((films, 1))
    labels = (random.random((films, 1)) < 0.25 + chance / 2).astype(float)
    return Films(chance, labels, np.arange(films) // 3)


@given(some_films(), st.integers(1, 8))
def test_the_points_equal_counting_bin_by_bin(films, bins):
    found, _ = calibration(*films, **DRAWS | {"bins": bins, "resamples": 0})
    known = ~np.isnan(films.labels[:, 0])
    scores, labels = films.scores[known, 0].astype(float), films.labels[known, 0]
    if not len(labels):
        assert found is None
        return
    assert found.brier.value == pytest.approx(brier_score_loss(labels, scores, pos_label=1), abs=1e-12)
    distances = 0.0
    for each in found.bins:
        inside = (scores >= each.lowest) & (scores <= each.highest)
        assert each.films == inside.sum()
        assert (each.score, each.observed.value) == pytest.approx((scores[inside].mean(), labels[inside].mean()))
        distances += inside.sum() * abs(scores[inside].mean() - labels[inside].mean())
    assert sum(each.films for each in found.bins) == len(labels)
    assert found.error.value == pytest.approx(distances / len(labels), abs=1e-12)


@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 9))
def test_bins_of_scores_without_ties_differ_by_one_film_at_most_and_keep_their_order(films, bins, seed):
    scores = np.random.default_rng(seed).permutation(films) / films
    found = equal_mass_bins(scores, bins)
    counts = np.bincount(found)
    assert len(counts) == min(films, bins)
    assert counts.max() - counts.min() <= 1
    assert (np.diff(found[np.argsort(scores)]) >= 0).all()


@given(some_films(), st.integers(1, 20))
def test_films_of_equal_score_share_a_bin_and_no_bin_is_empty(films, bins):
    scores = films.scores[:, 0]
    found = equal_mass_bins(scores, bins)
    assert all(len(np.unique(found[scores == each])) == 1 for each in np.unique(scores))
    assert (np.bincount(found) > 0).all()
    assert found.max() < bins


def test_the_curve_equals_scikit_learns_by_quantiles():
    films = untied()
    (found,) = calibration(*films, **DRAWS)
    observed, score = calibration_curve(films.labels[:, 0], films.scores[:, 0], n_bins=5, strategy="quantile")
    np.testing.assert_allclose([each.score for each in found.bins], score, atol=1e-12)
    np.testing.assert_allclose([each.observed.value for each in found.bins], observed, atol=1e-12)


def test_intervals_equal_a_plain_bootstrap_of_patients():
    films = untied(300)
    (found,) = calibration(*films, **DRAWS)
    of_film, random, drawn = equal_mass_bins(films.scores[:, 0], 5), np.random.default_rng(3), []
    for _ in range(40):
        chosen = np.concatenate([np.flatnonzero(films.patients == each) for each in random.integers(100, size=100)])
        scores, labels, bins = films.scores[chosen, 0], films.labels[chosen, 0], of_film[chosen]
        distances = [np.abs((scores - labels)[bins == each].sum()) for each in range(5)]
        drawn.append([np.mean((scores - labels) ** 2), sum(distances) / len(chosen), labels[bins == 4].mean()])
    estimates = found.brier, found.error, found.bins[4].observed
    for estimate, column in zip(estimates, np.transpose(drawn), strict=True):
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(column, [0.05, 0.95]))


def test_scores_that_are_the_chance_are_calibrated_and_overconfident_ones_are_not():
    films = untied(20_000)
    (overconfident,) = calibration(*films, **DRAWS)
    (calibrated,) = calibration(films.scores / 2 + 0.25, films.labels, films.patients, **DRAWS)
    assert calibrated.error.value < 0.01 < 0.1 < overconfident.error.low
    assert calibrated.brier.high < overconfident.brier.low
    assert overconfident.bins[0].score < overconfident.bins[0].observed.low
    assert overconfident.bins[-1].score > overconfident.bins[-1].observed.high


def test_a_class_without_positives_is_defined_and_one_without_known_films_is_not():
    films = some_cohort()
    films.labels[:, 0], films.labels[:, 1] = 0.0, np.nan
    negative, unknown, _ = calibration(*films, **DRAWS)
    assert unknown is None
    assert negative.error.value == pytest.approx(films.scores[:, 0].mean())
    assert {each.observed.value for each in negative.bins} == {0.0}


def test_a_score_of_nan_is_an_error():
    films = some_cohort()
    films.scores[5], films.labels[5] = np.nan, 1.0
    with pytest.raises(DataError, match="scores: 1 of"):
        calibration(*films, **DRAWS)
