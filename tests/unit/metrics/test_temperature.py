"""The temperature is the likeliest, undoes one that was put in, and is fitted to nothing but what it is given."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from tests.unit.metrics.films import some_cohort, some_films
from trainer.errors import DataError
from trainer.metrics.auroc import auroc
from trainer.metrics.calibration import calibration
from trainer.metrics.temperature import HIGHEST, LOWEST, fit_temperatures, logits, tempered


def drawn(temperatures: list[float], films: int = 20_000, seed: int = 0):
    """Scores of a model whose logits are so many times too large, and labels drawn by the true chances."""
    random = np.random.default_rng(seed)
    logit = random.normal(-1.0, 1.5, (films, len(temperatures)))
    labels = (random.random(logit.shape) < 1 / (1 + np.exp(-logit))).astype(float)
    return 1 / (1 + np.exp(-logit * temperatures)), labels


@given(some_films(), st.floats(-2, 2))
def test_no_other_temperature_is_likelier(films, log_other):
    found = fit_temperatures(films.scores, films.labels)
    known = ~np.isnan(films.labels[:, 0])
    scores, labels = films.scores[known], films.labels[known, 0]
    if np.isnan(found[0]):
        assert not 0 < labels.sum() < len(labels)
        return

    def loss(temperature: float) -> float:
        return log_loss(labels, tempered(scores, np.array([temperature, np.nan]))[:, 0])

    other = float(np.clip(found[0] * np.exp(log_other), LOWEST, HIGHEST))
    assert loss(float(found[0])) <= loss(other) + 1e-9


def test_each_class_gets_the_temperature_that_was_put_in():
    scores, labels = drawn([0.5, 1.0, 3.0])
    labels[::7, 1] = np.nan
    assert fit_temperatures(scores, labels) == pytest.approx([0.5, 1.0, 3.0], rel=0.06)


def test_fitted_on_validation_it_calibrates_test_and_leaves_the_ranking():
    temperatures = fit_temperatures(*drawn([3.0], films=2000))
    scores, labels = drawn([3.0], seed=1)
    patients, settings_ = np.arange(len(labels)), {"bins": 10, "resamples": 0, "confidence": 0.9, "seed": 0}
    (before,) = calibration(scores, labels, patients, **settings_)
    (after,) = calibration(tempered(scores, temperatures), labels, patients, **settings_)
    assert after.error.value < 0.02 < 0.1 < before.error.value
    assert after.brier.value < before.brier.value
    changed = auroc(tempered(scores, temperatures)[:, 0], labels[:, 0])
    assert changed == pytest.approx(auroc(scores[:, 0], labels[:, 0]), abs=1e-9)


def test_perfect_and_worthless_rankings_stop_at_the_bounds():
    labels = np.array([[0.0, 0.0], [1.0, 1.0]] * 50)
    scores = np.where([[True, False]], 0.2 + 0.6 * labels, 0.8 - 0.6 * labels)
    assert fit_temperatures(scores, labels) == pytest.approx([LOWEST, HIGHEST])


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_a_class_of_one_kind_of_film_has_none_and_keeps_its_scores(label):
    films = some_cohort()
    films.labels[:, 1] = label
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fit_temperatures(films.scores, films.labels)
        scores = tempered(films.scores, found)
    assert np.isnan(found).tolist() == [False, True, False]
    np.testing.assert_array_equal(scores[:, 1], films.scores[:, 1])


def test_saturated_scores_stay_probabilities():
    scores = np.array([[0.0], [1.0], [1e-30]], np.float32)
    assert np.isfinite(logits(scores)).all()
    assert ((tempered(scores, np.array([2.0])) > 0) & (tempered(scores, np.array([2.0])) < 1)).all()


def test_a_score_of_nan_is_an_error():
    with pytest.raises(DataError, match="scores: 1 of 2"):
        fit_temperatures(np.array([[np.nan], [0.5]]), np.array([[1.0], [0.0]]))
