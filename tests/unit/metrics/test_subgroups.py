"""Scores by group: each is that of its films alone, patients are drawn once for all groups, and few give no number."""

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import roc_auc_score

from tests.unit.metrics.films import Films, some_cohort, some_films
from trainer.errors import DataError
from trainer.metrics.auroc import auroc
from trainer.metrics.cohort import FEWEST_PATIENTS
from trainer.metrics.subgroups import Groups, by_group

SETTINGS = {"resamples": 60, "confidence": 0.9, "seed": 5}
NAMES = ("F", "M", "O")


def scored(films: Films, groups: np.ndarray, mean_over: tuple[int, ...] = (0, 1, 2), **changes: float) -> Groups:
    return by_group(*films, groups.tolist(), NAMES, mean_over=mean_over, **(SETTINGS | changes))


def by_patient(films: Films) -> np.ndarray:
    """Every patient in one group."""
    return np.where(films.patients % 3 == 0, "F", "M")


def test_points_are_those_of_the_groups_films_alone() -> None:
    films = some_cohort()
    groups = by_patient(films)
    found = scored(films, groups)
    assert [each.name for each in found.groups] == ["F", "M"]
    for group in found.groups:
        ours = groups == group.name
        assert (group.films, group.patients) == (ours.sum(), len(set(films.patients[ours])))
        for number, each in enumerate(group.classes):
            labels = films.labels[ours, number]
            assert each.auroc is not None
            assert each.auroc.value == pytest.approx(auroc(films.scores[ours, number], labels))
            assert (each.positives, each.known) == ((labels == 1).sum(), (~np.isnan(labels)).sum())
        means = [each.auroc.value for each in group.classes]
        assert group.mean_auroc.value == pytest.approx(np.mean(means))


def test_intervals_and_the_gap_equal_a_plain_bootstrap_by_scikit_learn() -> None:
    films = some_cohort()
    # A patient's films may lie in both groups, as with views.
    groups = np.where(np.random.default_rng(3).random(len(films.patients)) < 0.4, "F", "M")
    random, drawn = np.random.default_rng(5), []
    for _ in range(60):
        weights = np.bincount(random.integers(80, size=80), minlength=80)[films.patients]
        drawn.append([])
        for name in ("F", "M"):
            known = ~np.isnan(films.labels[:, 1]) & (groups == name)
            drawn[-1].append(
                roc_auc_score(films.labels[known, 1], films.scores[known, 1], sample_weight=weights[known])
            )
    of_f, of_m = np.array(drawn).T
    found = scored(films, groups, mean_over=(1,))
    woman, man = found.groups
    assert found.reference == "M"
    assert [woman.classes[1].auroc.low, woman.classes[1].auroc.high] == pytest.approx(np.quantile(of_f, [0.05, 0.95]))
    assert [woman.gap.low, woman.gap.high] == pytest.approx(np.quantile(of_f - of_m, [0.05, 0.95]))
    assert woman.gap.value == pytest.approx(woman.mean_auroc.value - man.mean_auroc.value)
    assert man.gap is None


def test_a_group_whose_scores_are_noise_is_found_behind_and_an_equal_one_is_not() -> None:
    films = some_cohort(films=3000)
    groups = by_patient(films)
    worse = np.where((groups == "F")[:, None], np.random.default_rng(0).random(films.scores.shape), films.scores)
    wide = {"resamples": 200, "confidence": 0.99}
    behind = scored(films._replace(scores=worse), groups, **wide).groups[0].gap
    level = scored(films, groups, **wide).groups[0].gap
    assert behind.high < 0
    assert level.low < 0 < level.high


def few(patients_with: int, patients_without: int) -> Films:
    """One class; of each patient three films, all with or all without it."""
    patients = np.repeat(np.arange(patients_with + patients_without), 3)
    labels = (patients < patients_with).astype(float)[:, None]
    return Films(np.random.default_rng(0).random(labels.shape).astype(np.float32), labels, patients)


def test_films_of_few_patients_give_no_number_however_many_they_are() -> None:
    films = few(FEWEST_PATIENTS - 1, 50)
    (group,) = scored(films, np.full(len(films.patients), "F"), mean_over=(0,)).groups
    assert group.classes[0].auroc is None
    assert group.classes[0].too_few == "9 patients with, 50 without; 10 of each needed"
    assert group.classes[0].positives == 27
    assert group.mean_auroc is None
    assert group.gap is None
    assert group.too_few == "no class has 10 patients with and 10 without"


def test_one_patient_more_gives_a_number() -> None:
    films = few(FEWEST_PATIENTS, FEWEST_PATIENTS)
    found = scored(films, np.full(len(films.patients), "F"), mean_over=(0,))
    assert found.groups[0].classes[0].too_few == found.groups[0].too_few == ""
    assert found.groups[0].mean_auroc == found.groups[0].classes[0].auroc


def test_a_small_group_has_no_mean_and_takes_no_class_from_the_others() -> None:
    films = some_cohort()
    groups = np.where(films.patients < 9, "O", by_patient(films))
    found = scored(films, groups)
    woman, _, other = found.groups
    assert other.too_few == "0 of 3 classes have 10 patients with and 10 without; half are needed"
    assert (other.films, other.patients, other.mean_auroc) == (27, 9, None)
    assert found.mean_over == (0, 1, 2)
    assert woman.mean_auroc is not None


def test_means_are_of_the_classes_that_all_groups_tell() -> None:
    films = some_cohort()
    groups = by_patient(films)
    labels = films.labels.copy()
    labels[groups == "F", 2] = 0
    found = scored(films._replace(labels=labels), groups)
    assert found.mean_over == (0, 1)
    woman, man = found.groups
    assert woman.classes[2].too_few.startswith("0 patients with, ")
    assert man.classes[2].auroc is not None
    assert man.mean_auroc.value == pytest.approx(np.mean([man.classes[each].auroc.value for each in (0, 1)]))


def test_films_whose_group_is_not_known_are_counted_and_not_scored() -> None:
    films = some_cohort()
    groups = np.where(films.patients % 5 == 0, "", by_patient(films))
    broken = np.where((groups == "")[:, None], np.nan, films.scores)
    found = scored(films._replace(scores=broken), groups)
    assert found.films_unknown == (groups == "").sum() == 48
    assert sum(each.films for each in found.groups) == 192


def test_a_score_that_is_no_number_is_refused() -> None:
    films = some_cohort()
    films.scores[3, 0] = films.scores[4, 0] = np.nan
    with pytest.raises(DataError, match="scores are not numbers"):
        scored(films, by_patient(films))


def test_where_nobody_knows_the_group_there_is_none() -> None:
    films = some_cohort()
    found = scored(films, np.full(len(films.patients), ""))
    assert (found.groups, found.reference, found.mean_over, found.films_unknown) == ((), "", (), 240)


def test_the_same_seed_gives_the_same_intervals_and_no_resamples_none() -> None:
    films = some_cohort()
    groups = by_patient(films)
    assert scored(films, groups) == scored(films, groups) != scored(films, groups, seed=6)
    bare = scored(films, groups, resamples=0).groups[0]
    assert np.isnan([bare.mean_auroc.low, bare.gap.high]).all()
    assert bare.mean_auroc.value == scored(films, groups).groups[0].mean_auroc.value


@settings(max_examples=60)
@given(films=some_films())
def test_any_films_are_counted_once_and_a_number_needs_enough_patients(films: Films) -> None:
    groups = np.array(["F", "M", "O", ""])[np.arange(len(films.patients)) % 4]
    found = scored(films, groups, mean_over=(0, 1), resamples=5)
    assert sum(each.films for each in found.groups) + found.films_unknown == len(films.patients)
    for group in found.groups:
        for each in group.classes:
            enough = min(each.patients_with, each.patients_without) >= FEWEST_PATIENTS
            assert (each.auroc is not None) == enough == (each.too_few == "")
        assert (group.mean_auroc is None) == bool(group.too_few)
