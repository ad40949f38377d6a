"""Points, curves and thresholds agree with scikit-learn and with trying every threshold."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc
from sklearn.metrics import precision_recall_curve as sklearn_precision_recall
from sklearn.metrics import roc_curve as sklearn_roc

from tests.unit.metrics.films import some_cohort, some_films
from trainer.errors import DataError
from trainer.metrics.auroc import Ranking, auroc, average_precision
from trainer.metrics.operating import operating_points, precision_recall_curve, roc_curve


def known_of(films, each=0):
    known = ~np.isnan(films.labels[:, each])
    return films.scores[known, each], films.labels[known, each]


def tried(scores, labels):
    """(sensitivity, specificity) at each score, and at infinity, by counting."""
    for threshold in [*scores.tolist(), np.inf]:
        called = scores >= threshold
        yield called[labels == 1].mean(), (~called[labels == 0]).mean()


def has_both(labels):
    return 0 < labels.sum() < len(labels)


@given(some_films())
def test_points_equal_scikit_learns_roc_curve(films):
    scores, labels = known_of(films)
    if has_both(labels):
        points = operating_points(films.scores[:, 0], films.labels[:, 0])
        false_positive_rate, sensitivity, thresholds = sklearn_roc(labels, scores, drop_intermediate=False)
        np.testing.assert_allclose(1 - points.specificity, false_positive_rate, atol=1e-12)
        np.testing.assert_allclose(points.sensitivity, sensitivity, atol=1e-12)
        np.testing.assert_array_equal(points.thresholds, thresholds)


@given(some_films())
def test_precision_equals_scikit_learns(films):
    scores, labels = known_of(films)
    if labels.sum():
        points = operating_points(films.scores[:, 0], films.labels[:, 0])
        precision, recall, _ = sklearn_precision_recall(labels, scores)
        np.testing.assert_allclose(points.precision[1:][::-1], precision[:-1], atol=1e-12)
        np.testing.assert_allclose(points.sensitivity[1:][::-1], recall[:-1], atol=1e-12)


@given(some_films())
def test_the_areas_below_the_curves_are_those_of_the_scores(films):
    scores, labels = films.scores[:, 0], films.labels[:, 0]
    points = operating_points(scores, labels)
    roc, precision_recall = roc_curve(points), precision_recall_curve(points)
    area, precision = auroc(scores, labels), average_precision(scores, labels)
    assert (roc is None) == np.isnan(area)
    assert (precision_recall is None) == np.isnan(precision)
    if roc:
        assert auc(roc.x, roc.y) == pytest.approx(area, abs=1e-12)
        assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    if precision_recall:
        steps = np.diff(precision_recall.x, prepend=0.0) @ precision_recall.y
        assert steps == pytest.approx(precision, abs=1e-12)


@given(some_films(), st.sampled_from([0.1, 0.5, 0.8, 0.9, 0.95]))
def test_sensitivity_at_a_specificity_is_the_best_of_all_thresholds_and_the_reverse(films, fixed):
    scores, labels = known_of(films)
    counted = Ranking.of(films.scores[:, 0], films.labels[:, 0]).through(np.ones((1, len(films.labels))))
    found = counted.sensitivity_at(fixed)[0], counted.specificity_at(fixed)[0]
    if has_both(labels):
        sensitivity = max(reached for reached, specificity in tried(scores, labels) if specificity >= fixed)
        specificity = max(reached for sensitivity, reached in tried(scores, labels) if sensitivity >= fixed)
        assert found == pytest.approx((sensitivity, specificity), abs=1e-12)
    else:
        assert np.isnan(found).all()


@given(some_films(), st.integers(0, 9))
def test_under_weights_a_film_counts_so_many_times_at_a_fixed_specificity_too(films, seed):
    times = np.random.default_rng(seed).integers(0, 4, len(films.labels))
    ranking = Ranking.of(films.scores[:, 0], films.labels[:, 0])
    weighted = ranking.through(np.stack([np.ones(len(times)), times.astype(float)]))
    repeated = operating_points(films.scores[:, 0].repeat(times), films.labels[:, 0].repeat(times))
    copies = Ranking.of(films.scores[:, 0].repeat(times), films.labels[:, 0].repeat(times))
    once = copies.through(np.ones((1, times.sum())))
    if repeated.positives and repeated.negatives:
        assert weighted.sensitivity_at(0.8)[1] == pytest.approx(once.sensitivity_at(0.8)[0], abs=1e-12)
        assert weighted.specificity_at(0.8)[1] == pytest.approx(once.specificity_at(0.8)[0], abs=1e-12)
    else:
        assert np.isnan([weighted.sensitivity_at(0.8)[1], weighted.specificity_at(0.8)[1]]).all()


def test_a_threshold_that_reaches_the_specificity_exactly_counts():
    scores, labels = np.arange(11.0), np.array([0.0] * 9 + [1.0, 0.0])
    counted = Ranking.of(scores, labels).through(np.ones((1, 11)))
    assert (counted.sensitivity_at(0.9)[0], counted.sensitivity_at(0.91)[0]) == (1.0, 0.0)


@pytest.mark.parametrize("label", [0.0, 1.0, np.nan])
def test_films_of_one_kind_have_points_but_no_curve_without_a_warning(label):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        points = operating_points(np.array([0.1, 0.2]), np.full(2, label))
        assert roc_curve(points) is None
        assert (precision_recall_curve(points) is None) == (label != 1)


def test_a_thinned_curve_keeps_its_ends_and_stays_close():
    films = some_cohort(films=3000)
    fine = films._replace(scores=films.scores + np.random.default_rng(0).random(films.scores.shape) * 1e-3)
    curve = roc_curve(operating_points(fine.scores[:, 0], fine.labels[:, 0]))
    thin = curve.thinned(100)
    assert len(curve.x) > 500
    assert 50 < len(thin.x) <= 100
    assert (thin.x[0], thin.y[0], thin.x[-1], thin.y[-1]) == (0, 0, 1, 1)
    assert auc(thin.x, thin.y) == pytest.approx(auc(curve.x, curve.y), abs=2e-3)
    assert thin.thinned(100) is thin


def test_a_score_of_nan_is_an_error():
    with pytest.raises(DataError, match="scores: 1 of 2 scores are not numbers"):
        operating_points(np.array([np.nan, 0.5]), np.array([1.0, 0.0]))
