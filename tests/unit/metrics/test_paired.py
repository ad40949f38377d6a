"""Differences are resampled together, agree with DeLong's test where it applies, and p agrees with the interval."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.unit.metrics.films import some_cohort
from trainer.errors import DataError
from trainer.metrics.auroc import auroc
from trainer.metrics.bootstrap import bootstrap
from trainer.metrics.paired import paired

SETTINGS = {"resamples": 60, "confidence": 0.9, "seed": 5, "mean_over": (0, 1)}


def better(films, by: float, seed: int = 7):
    """Scores that know more of the labels than those of the films."""
    noise = np.random.default_rng(seed).normal(0, 0.05, films.scores.shape)
    return films.scores + by * np.nan_to_num(films.labels) + noise


def test_intervals_and_p_equal_a_plain_bootstrap_by_scikit_learn():
    films = some_cohort()
    b = better(films, 0.05)
    known, random, drawn = ~np.isnan(films.labels[:, 1]), np.random.default_rng(5), []
    for _ in range(60):
        weights = np.bincount(random.integers(80, size=80), minlength=80)[films.patients][known]
        a_area, b_area = (
            roc_auc_score(films.labels[known, 1], each[known, 1], sample_weight=weights) for each in (films.scores, b)
        )
        drawn.append(b_area - a_area)
    found = paired(films.scores, b, films.labels, films.patients, **SETTINGS).classes[1]
    assert [found.difference.low, found.difference.high] == pytest.approx(np.quantile(drawn, [0.05, 0.95]))
    below, above = sum(each <= 0 for each in drawn), sum(each >= 0 for each in drawn)
    assert found.p == pytest.approx(min(1, 2 * (1 + min(below, above)) / 61))


def test_points_are_those_of_each_model_alone():
    films = some_cohort()
    b = better(films, 0.3)
    found = paired(films.scores, b, films.labels, films.patients, **SETTINGS)
    for each in range(3):
        assert found.classes[each].a == auroc(films.scores[:, each], films.labels[:, each])
        assert found.classes[each].b == auroc(b[:, each], films.labels[:, each])
        assert found.classes[each].difference.value == found.classes[each].b - found.classes[each].a
    assert found.mean.difference.value == pytest.approx(np.mean([each.difference.value for each in found.classes[:2]]))
    assert (found.films, found.patients) == (240, 80)


def test_a_model_does_not_differ_from_itself():
    films = some_cohort()
    found = paired(films.scores, films.scores, films.labels, films.patients, **SETTINGS)
    assert [(each.difference.low, each.difference.high, each.p) for each in found.classes] == [(0, 0, 1.0)] * 3


def test_exchanging_the_models_turns_the_sign_and_keeps_p():
    films = some_cohort()
    b = better(films, 0.02)
    there = paired(films.scores, b, films.labels, films.patients, **SETTINGS).mean
    back = paired(b, films.scores, films.labels, films.patients, **SETTINGS).mean
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert [back.difference.low, back.difference.high] == pytest.approx([-there.difference.high, -there.difference.low])
    assert back.p == there.p


def test_pairing_narrows_the_interval():
    films = some_cohort()
    b = better(films, 0.05)
    difference = paired(films.scores, b, films.labels, films.patients, **SETTINGS).mean.difference
    alone = bootstrap(films.scores, films.labels, films.patients, **SETTINGS, at_specificity=0.9, at_sensitivity=0.9)
    assert difference.high - difference.low < 0.5 * (alone.mean_auroc.high - alone.mean_auroc.low)


def test_copies_of_a_patients_films_do_not_narrow_it():
    films = some_cohort()
    b = better(films, 0.05)
    once = paired(films.scores, b, films.labels, films.patients, **SETTINGS)
    copies = (np.repeat(each, 4, axis=0) for each in (films.scores, b, films.labels, films.patients))
    four_times = paired(*copies, **SETTINGS)
    assert _flat(four_times.mean) == pytest.approx(_flat(once.mean))


def _flat(difference) -> list[float]:
    found = difference.difference
    return [difference.a, difference.b, found.value, found.low, found.high, difference.p]


def test_the_spread_of_the_draws_is_delongs_standard_error_where_each_film_has_a_patient_of_its_own():
    films = some_cohort(films=900)
    b, labels = better(films, 0.0), np.nan_to_num(films.labels)
    found = paired(films.scores, b, labels, np.arange(900), resamples=1000, confidence=0.6827, seed=1, mean_over=(0, 1))
    for each in range(3):
        low, high = found.classes[each].difference.low, found.classes[each].difference.high
        error = delong_error(films.scores[:, each], b[:, each], labels[:, each])
        assert (high - low) / 2 == pytest.approx(error, rel=0.1)


def delong_error(a, b, labels) -> float:
    """Standard error of the difference of two AUROCs by the placement of every film (DeLong et al., 1988)."""
    placements = []
    for scores in (a, b):
        above = scores[labels == 1][:, None] - scores[labels == 0][None]
        won = (above > 0) + 0.5 * (above == 0)
        placements.append((won.mean(axis=1), won.mean(axis=0)))
    variances = [np.var(placements[1][kind] - placements[0][kind], ddof=1) for kind in (0, 1)]
    return float(np.sqrt(variances[0] / (labels == 1).sum() + variances[1] / (labels == 0).sum()))


def test_p_is_small_for_a_better_model_and_the_interval_leaves_out_0_where_p_is_below_its_error():
    films = some_cohort()
    for by in (0.0, 0.01, 0.02, 0.03, 0.05, 0.2):
        found = paired(films.scores, better(films, by), films.labels, films.patients, **SETTINGS | {"resamples": 999})
        for each in found.classes:
            leaves_out = each.difference.low > 0 or each.difference.high < 0
            assert leaves_out == (each.p <= 0.1) or abs(each.p - 0.1) < 0.01
    assert [each.p for each in found.classes] == [2 / 1000] * 3


def test_two_worthless_models_seldom_differ():
    random, small = np.random.default_rng(0), 0
    for trial in range(200):
        labels = (random.random((80, 1)) < 0.4).astype(float)
        a, b = random.random((2, 80, 1))
        found = paired(a, b, labels, np.arange(80) // 2, resamples=99, confidence=0.9, seed=trial, mean_over=(0,))
        small += found.mean.p <= 0.1
    assert 200 * 0.03 < small < 200 * 0.2


def test_a_class_without_positives_has_no_difference_and_is_left_out_of_the_mean_and_named():
    films = some_cohort()
    films.labels[:, 1] = 0.0
    found = paired(films.scores, better(films, 0.1), films.labels, films.patients, **SETTINGS)
    assert (found.mean_over, found.left_out) == ((0,), (1,))
    assert np.isnan(_flat(found.classes[1])).all()
    assert _flat(found.mean) == _flat(found.classes[0])
    assert [each.positives for each in found.classes] == np.nansum(films.labels, axis=0).tolist()
    assert [each.known for each in found.classes] == np.isfinite(films.labels).sum(axis=0).tolist()


def test_without_resamples_there_are_differences_and_neither_intervals_nor_p():
    films = some_cohort()
    found = paired(films.scores, better(films, 0.1), films.labels, films.patients, **SETTINGS | {"resamples": 0})
    assert found.mean.difference.value > 0
    assert np.isnan([found.mean.difference.low, found.mean.difference.high, found.mean.p]).all()


def test_a_score_of_nan_of_either_model_is_an_error():
    films = some_cohort()
    films.labels[5] = 1.0
    b = films.scores.copy()
    b[5] = np.nan
    for pair in ((films.scores, b), (b, films.scores)):
        with pytest.raises(DataError, match="scores: 1 of"):
            paired(*pair, films.labels, films.patients, **SETTINGS)
