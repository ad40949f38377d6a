"""Thresholds are the best of all that could be chosen, and their worth is counted film by film."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from tests.unit.metrics.films import some_cohort, some_films
from trainer.errors import DataError
from trainer.metrics.operating import operating_points
from trainer.metrics.thresholds import at_sensitivity, choose, confusions, youden

DRAWS = {"resamples": 40, "confidence": 0.9, "seed": 3}


def known_of(films):
    known = ~np.isnan(films.labels[:, 0])
    return films.scores[known, 0], films.labels[known, 0]


@given(some_films())
def test_no_threshold_has_a_larger_youden_index_and_no_lower_one_an_equal_one(films):
    scores, labels = known_of(films)
    chosen = youden(operating_points(films.scores[:, 0], films.labels[:, 0]))
    if not 0 < labels.sum() < len(labels):
        assert np.isnan(chosen)
        return

    def index(threshold):
        called = scores >= threshold
        return round(called[labels == 1].mean() - called[labels == 0].mean(), 9)

    every = {float(each): index(each) for each in scores}
    assert every[chosen] == max(every.values())
    assert chosen == min(each for each, value in every.items() if value == every[chosen])


@given(some_films(), st.sampled_from([0.1, 0.5, 0.9, 0.95]))
def test_the_threshold_at_a_sensitivity_is_the_highest_that_reaches_it(films, wanted):
    scores, labels = known_of(films)
    chosen = at_sensitivity(operating_points(films.scores[:, 0], films.labels[:, 0]), wanted)
    if not labels.sum():
        assert np.isnan(chosen)
        return
    reaching = [float(each) for each in scores if (scores >= each)[labels == 1].mean() >= wanted]
    assert chosen == max(reaching)


@given(some_films())
def test_counts_equal_scikit_learns_confusion_matrix(films):
    (found, _) = confusions(np.array([0.5, 0.5]), *films, **DRAWS)
    scores, labels = known_of(films)
    if not len(labels):
        assert found.true_positives + found.false_positives + found.true_negatives + found.false_negatives == 0
        return
    (true_negative, false_positive), (false_negative, true_positive) = confusion_matrix(
        labels, scores >= 0.5, labels=[0, 1]
    )
    assert (found.true_positives, found.false_positives) == (true_positive, false_positive)
    assert (found.true_negatives, found.false_negatives) == (true_negative, false_negative)


def test_rates_and_their_intervals_equal_a_plain_bootstrap_of_patients():
    films = some_cohort()
    found = confusions(np.array([0.4, 0.5, 0.6]), *films, **DRAWS)[1]
    random, names, drawn = np.random.default_rng(3), np.unique(films.patients), []
    for _ in range(40):
        chosen = np.concatenate(
            [np.flatnonzero(films.patients == each) for each in random.integers(len(names), size=80)]
        )
        called, labels = films.scores[chosen, 1] >= 0.5, films.labels[chosen, 1]
        has, lacks = labels == 1, labels == 0
        drawn.append([called[has].mean(), (~called)[lacks].mean(), has[called & (has | lacks)].mean()])
    for estimate, column in zip(
        (found.sensitivity, found.specificity, found.positive_predictive_value), np.transpose(drawn), strict=True
    ):
        assert [estimate.low, estimate.high] == pytest.approx(np.quantile(column, [0.05, 0.95]))
        assert estimate.low <= estimate.value <= estimate.high
    assert found.sensitivity.value == found.true_positives / (found.true_positives + found.false_negatives)


def test_thresholds_are_chosen_on_one_set_and_applied_to_another():
    validation, test = some_cohort(seed=1), some_cohort(films=600, seed=2)
    chosen = choose(validation.scores, validation.labels, sensitivity=0.9)
    reached = confusions(chosen.at_sensitivity, *validation, **DRAWS)
    assert all(0.9 <= each.sensitivity.value < 0.95 for each in reached)
    applied = confusions(chosen.at_sensitivity, *test, **DRAWS)
    assert all(each.sensitivity.value == pytest.approx(0.9, abs=0.1) for each in applied)
    assert [each.threshold for each in applied] == chosen.at_sensitivity.tolist()
    assert (choose(test.scores, test.labels, sensitivity=0.9).youden != chosen.youden).any()


def test_a_class_that_validation_has_no_positive_of_is_not_called():
    films = some_cohort()
    lacking = films.labels.copy()
    lacking[:, 0] = np.where(np.isnan(lacking[:, 0]), np.nan, 0.0)
    chosen = choose(films.scores, lacking, sensitivity=0.9)
    assert np.isnan([chosen.youden[0], chosen.at_sensitivity[0]]).all()
    assert confusions(chosen.youden, *films, **DRAWS)[0] is None
    assert confusions(chosen.youden, *films, **DRAWS)[1] is not None


def test_without_positives_in_the_set_sensitivity_is_not_defined_and_specificity_is():
    films = some_cohort()
    films.labels[:, 0] = 0.0
    found = confusions(np.full(3, 0.5), *films, **DRAWS)[0]
    assert np.isnan([found.sensitivity.value, found.sensitivity.low]).all()
    assert found.specificity.low < found.specificity.value < found.specificity.high
    assert (found.true_positives, found.false_negatives, found.positive_predictive_value.value) == (0, 0, 0.0)


def test_without_resamples_there_are_counts_and_no_intervals():
    found = confusions(np.full(3, 0.5), *some_cohort(), **DRAWS | {"resamples": 0})[0]
    assert 0 < found.sensitivity.value < 1
    assert np.isnan(found.sensitivity.low)


def test_a_score_of_nan_is_an_error():
    films = some_cohort()
    films.scores[5], films.labels[5] = np.nan, 1.0
    with pytest.raises(DataError, match="scores: 1 of"):
        confusions(np.full(3, 0.5), *films, **DRAWS)
