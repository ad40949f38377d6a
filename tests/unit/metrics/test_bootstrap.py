"""The bootstrap resamples patients, not films, and says what each interval rests on."""

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from trainer.metrics import resampling
from trainer.metrics.auroc import auroc
from trainer.metrics.bootstrap import bootstrap

SETTINGS = {
    "resamples": 60,
    "confidence": 0.9,
    "seed": 5,
    "mean_over": (0, 1),
    "at_specificity": 0.8,
    "at_sensitivity": 0.7,
}


@pytest.fixture
def films():
    """Scores with ties, labels [240, 3] with unknown ones, and 80 patients of three films."""
    random = np.random.default_rng(1)
    labels = (random.random((240, 3)) < 0.4).astype(float)
    scores = np.round(random.normal(size=(240, 3)) + labels, 1)
    labels[random.random((240, 3)) < 0.1] = np.nan
    return scores, labels, random.permutation(np.arange(240) % 80)


def test_intervals_equal_a_plain_bootstrap_by_scikit_learn(films):
    scores, labels, patients = films
    random, areas, precisions = np.random.default_rng(5), [], []
    known = ~np.isnan(labels[:, 1])
    for _ in range(60):
        weights = np.bincount(random.integers(80, size=80), minlength=80)[patients][known]
        ranked = labels[known, 1], scores[known, 1]
        areas.append(roc_auc_score(*ranked, sample_weight=weights))
        precisions.append(average_precision_score(*ranked, sample_weight=weights))
    score = bootstrap(*films, **SETTINGS).classes[1]
    assert [score.auroc.low, score.auroc.high] == pytest.approx(np.quantile(areas, [0.05, 0.95]))
    expected = np.quantile(precisions, [0.05, 0.95])
    assert [score.average_precision.low, score.average_precision.high] == pytest.approx(expected)


def test_points_are_those_of_the_films_as_they_are(films):
    scores, labels, _ = films
    result = bootstrap(*films, **SETTINGS)
    points = [auroc(scores[:, each], labels[:, each]) for each in range(3)]
    assert [each.auroc.value for each in result.classes] == points
    assert result.mean_auroc.value == pytest.approx(np.mean(points[:2]))
    assert result.mean_auroc.low < result.mean_auroc.value < result.mean_auroc.high


def test_known_and_positive_films_are_counted(films):
    _, labels, _ = films
    result = bootstrap(*films, **SETTINGS)
    assert (result.films, result.patients) == (240, 80)
    assert result.classes[2].known == np.isfinite(labels[:, 2]).sum()
    assert result.classes[2].positives == np.nansum(labels[:, 2])


def test_the_same_seed_gives_the_same_intervals_whatever_the_block(films, monkeypatch):
    expected = bootstrap(*films, **SETTINGS)
    monkeypatch.setattr(resampling, "BLOCK_WEIGHTS", 240 * 7)
    assert bootstrap(*films, **SETTINGS) == expected
    assert bootstrap(*films, **SETTINGS | {"seed": 6}).mean_auroc != expected.mean_auroc


def test_patients_may_be_strings(films):
    scores, labels, patients = films
    named = np.array([f"{each:03}" for each in patients])
    assert bootstrap(scores, labels, named, **SETTINGS) == bootstrap(*films, **SETTINGS)


def test_copies_of_a_patients_films_do_not_narrow_the_interval(films):
    scores, labels, patients = films
    copies = np.repeat(scores, 4, axis=0), np.repeat(labels, 4, axis=0), np.repeat(patients, 4)
    once, four_times = bootstrap(*films, **SETTINGS), bootstrap(*copies, **SETTINGS)
    bounds = [once.classes[0].auroc.low, once.classes[0].auroc.high]
    assert [four_times.classes[0].auroc.low, four_times.classes[0].auroc.high] == pytest.approx(bounds)


def test_a_resample_without_a_positive_is_left_out_and_counted(films):
    scores, labels, patients = films
    labels[:, 0] = np.where(patients == 7, 1.0, 0.0)
    random = np.random.default_rng(5)
    drawn = sum(7 in random.integers(80, size=80) for _ in range(60))
    result = bootstrap(scores, labels, patients, **SETTINGS)
    assert result.classes[0].auroc.resamples == result.classes[0].average_precision.resamples == drawn
    assert result.mean_auroc.resamples == drawn < 60
    assert result.classes[1].auroc.resamples == 60


def test_a_class_without_positives_is_left_out_of_the_mean_and_named(films):
    scores, labels, patients = films
    labels[:, 1] = 0.0
    result = bootstrap(scores, labels, patients, **SETTINGS)
    assert (result.mean_over, result.left_out) == ((0,), (1,))
    assert dataclasses.astuple(result.mean_auroc) == dataclasses.astuple(result.classes[0].auroc)
    assert result.classes[1].positives == 0
    assert np.isnan([result.classes[1].auroc.value, result.classes[1].auroc.low]).all()


def test_without_resamples_there_are_scores_and_no_intervals(films):
    result = bootstrap(*films, **SETTINGS | {"resamples": 0})
    assert result.classes[0].auroc.value == bootstrap(*films, **SETTINGS).classes[0].auroc.value
    assert np.isnan([result.mean_auroc.low, result.mean_auroc.high, result.classes[0].auroc.low]).all()


def test_a_mean_over_no_class_is_not_a_number(films):
    assert np.isnan(bootstrap(*films, **SETTINGS | {"mean_over": ()}).mean_auroc.value)
