"""What is chosen comes from validation alone; what is told is of the films shown alone."""

from dataclasses import replace

import numpy as np
import pytest

from trainer.metrics.bootstrap import Scores, bootstrap
from trainer.report.analysis import Analysis, FromValidation, analyse, choose_on
from trainer.report.film_scores import FilmScores

CLASSES = ("Mass", "Nodule", "Hernia")
MASS, NODULE, HERNIA = range(3)


def films(count: int, seed: int) -> FilmScores:
    """Scores that know something, and are too sure."""
    random = np.random.default_rng(seed)
    labels = (random.random((count, 3)) < 0.3).astype(np.float32)
    labels[:, HERNIA] = 0
    logits = 4 * random.normal(size=labels.shape) + 4 * labels - 2
    patients = tuple(f"p{each // 2}" for each in range(count))
    scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return FilmScores(tuple(map(str, range(count))), CLASSES, scores, labels, patients=patients)


VALIDATION, TEST = films(200, 0), films(300, 1)


def scores_of(found: FilmScores) -> Scores:
    rest = {"mean_over": [0, 1], "at_specificity": 0.9, "at_sensitivity": 0.9}
    return bootstrap(
        found.scores, found.labels, np.asarray(found.patients), resamples=30, confidence=0.95, seed=0, **rest
    )


def analysed(found: FilmScores, chosen: FromValidation | None) -> Analysis:
    return analyse(found, scores_of(found), chosen, bins=10)


@pytest.fixture(scope="module")
def chosen() -> FromValidation:
    return choose_on(VALIDATION, 0.9)


def test_thresholds_of_validation_are_counted_on_the_films_shown(chosen: FromValidation) -> None:
    found = analysed(TEST, chosen).classes[MASS].at_sensitivity
    assert found
    called, has = TEST.scores[:, MASS] >= chosen.thresholds.at_sensitivity[MASS], TEST.labels[:, MASS] == 1
    assert found.threshold == chosen.thresholds.at_sensitivity[MASS]
    assert (found.true_positives, found.false_positives) == ((called & has).sum(), (called & ~has).sum())


def test_other_labels_of_the_films_shown_change_no_threshold_and_no_temperature(chosen: FromValidation) -> None:
    other = replace(TEST, labels=1 - TEST.labels)
    before, after = analysed(TEST, chosen), analysed(other, chosen)
    for mine, theirs in zip(before.classes[:HERNIA], after.classes[:HERNIA], strict=True):
        assert mine.youden
        assert theirs.youden
        assert mine.youden.threshold == theirs.youden.threshold
    assert before.chosen is after.chosen


def test_a_temperature_of_validation_mends_overconfidence_on_the_films_shown(chosen: FromValidation) -> None:
    assert chosen.temperatures[MASS] > 1.2
    found = analysed(TEST, chosen).classes[MASS]
    assert found.calibration
    assert found.with_temperature
    assert found.with_temperature.error.value < found.calibration.error.value


def test_nothing_is_chosen_for_a_class_that_validation_does_not_have(chosen: FromValidation) -> None:
    found = analysed(TEST, chosen).classes[HERNIA]
    assert (found.youden, found.at_sensitivity, found.with_temperature) == (None, None, None)
    assert found.calibration


def test_without_validation_nothing_is_chosen_and_the_rest_is_told() -> None:
    found = analysed(TEST, None)
    assert found.chosen is None
    assert all(each.youden is None and each.with_temperature is None and each.calibration for each in found.classes)
