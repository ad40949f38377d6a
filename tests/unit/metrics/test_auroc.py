"""Areas agree with scikit-learn, ties and weights included."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.errors import DataError
from trainer.metrics.auroc import Ranking, auroc, average_precision, mean_over, per_class


@st.composite
def tied_films(draw):
    """Scores of few values, so that most are ties, labels with both classes, and whole weights with zeros."""
    films = draw(st.integers(2, 60))
    values = draw(st.integers(1, 8))
    scores = draw(arrays(np.float32, films, elements=st.integers(0, values).map(lambda each: each / values)))
    labels = draw(arrays(np.float64, films, elements=st.sampled_from([0.0, 1.0])))
    labels[:2] = 0.0, 1.0
    weights = draw(arrays(np.float64, films, elements=st.integers(0, 4).map(float)))
    weights[:2] += 1.0
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(films)
    return scores[order], labels[order], weights[order]


@given(tied_films())
def test_auroc_equals_scikit_learn_with_many_ties(films):
    scores, labels, _ = films
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(tied_films())
def test_average_precision_equals_scikit_learn_with_many_ties(films):
    scores, labels, _ = films
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(tied_films())
def test_weighted_areas_equal_scikit_learn_with_sample_weights(films):
    scores, labels, weights = films
    area, precision = Ranking.of(scores, labels).areas(np.stack([weights, np.ones_like(weights)]))
    assert area[0] == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights), abs=1e-12)
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert precision[0] == pytest.approx(expected, abs=1e-12)
    assert (area[1], precision[1]) == (auroc(scores, labels), average_precision(scores, labels))


@given(tied_films())
def test_a_film_of_weight_three_counts_as_three_films(films):
    scores, labels, weights = films
    area, precision = Ranking.of(scores, labels).areas(weights[None])
    times = weights.astype(int)
    assert area[0] == pytest.approx(auroc(scores.repeat(times), labels.repeat(times)), abs=1e-12)
    assert precision[0] == pytest.approx(average_precision(scores.repeat(times), labels.repeat(times)), abs=1e-12)


def test_all_scores_equal_is_chance():
    assert auroc(np.full(5, 0.3), np.array([1.0, 0, 0, 1, 0])) == 0.5


def test_films_of_unknown_label_are_masked():
    scores, labels = np.array([0.9, 0.8, 0.1, 0.5]), np.array([1.0, np.nan, 0.0, 1.0])
    assert auroc(scores, labels) == auroc(scores[[0, 2, 3]], labels[[0, 2, 3]])
    assert average_precision(scores, labels) == 1.0


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_auroc_of_one_kind_of_film_is_nan_without_a_warning(label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(auroc(np.array([0.1, 0.2]), np.full(2, label)))


def test_average_precision_without_a_positive_is_nan():
    assert np.isnan(average_precision(np.array([0.1, 0.2]), np.zeros(2)))


def test_no_films_have_no_auroc():
    assert np.isnan(auroc(np.empty(0), np.empty(0)))


def test_a_score_of_nan_is_an_error_that_counts_them():
    with pytest.raises(DataError, match="scores: 2 of 3 scores are not numbers"):
        auroc(np.array([np.nan, 0.5, np.nan]), np.array([1.0, 0.0, 1.0]))


def test_a_score_of_nan_on_a_film_of_unknown_label_is_masked_with_it():
    assert auroc(np.array([np.nan, 0.5, 0.7]), np.array([np.nan, 0.0, 1.0])) == 1.0


def test_the_mean_leaves_out_classes_without_an_auroc():
    scores = np.array([[0.9, 0.2, 0.1], [0.1, 0.3, 0.9]])
    labels = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    values = per_class(scores, labels)
    np.testing.assert_equal(values, [1.0, np.nan, 0.0])
    assert mean_over(values, [0, 1, 2]) == 0.5
    assert mean_over(values, [0, 1]) == 1.0
    assert np.isnan(mean_over(values, [1]))
