"""Scores read well and survive JSON."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from trainer.metrics.bootstrap import bootstrap
from trainer.report.table import score_table, scores_from_json, scores_json

CLASSES = ("No Finding", "Mass", "Hernia")


@pytest.fixture
def scores():
    """Two findings, one without a positive film, and No Finding first, as in CheXpert's order."""
    random = np.random.default_rng(0)
    labels = np.stack([random.random(90) < 0.5, random.random(90) < 0.3, np.zeros(90)], axis=1).astype(float)
    labels[0, 1] = np.nan
    films = random.normal(size=(90, 3)) + np.nan_to_num(labels)
    fixed = {"mean_over": (1, 2), "at_specificity": 0.9, "at_sensitivity": 0.9}
    return bootstrap(films, labels, np.arange(90) // 3, resamples=50, confidence=0.95, seed=0, **fixed)


def lines_of(table):
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue().splitlines()


def test_a_row_gives_films_area_interval_and_precision(scores):
    mass = scores.classes[1]
    (row,) = [line for line in lines_of(score_table(scores, CLASSES)) if "Mass" in line]
    assert f"{mass.positives} / 89" in row
    assert f"{mass.auroc.value:.3f}" in row
    assert f"{mass.auroc.low:.3f} to {mass.auroc.high:.3f}" in row
    assert f"{mass.average_precision.value:.3f}" in row


def test_a_class_without_positives_says_so_in_place_of_a_number(scores):
    lines = lines_of(score_table(scores, CLASSES))
    (row,) = [line for line in lines if "Hernia" in line and "without" not in line]
    assert "0 / 90" in row
    assert "no positives" in row
    assert "nan" not in "".join(lines)


def test_the_mean_names_what_it_leaves_out_and_no_finding_stands_last(scores):
    lines = lines_of(score_table(scores, CLASSES, title="test"))
    order = [
        next(i for i, line in enumerate(lines) if text in line)
        for text in (
            "test",
            "95% interval",
            "Mass",
            "mean over 1 findings",
            "without Hernia",
            "No Finding",
            "90 films of 30",
        )
    ]
    assert order == sorted(order)


def test_json_names_the_classes_and_has_no_nan(scores):
    plain = json.loads(json.dumps(scores_json(scores, CLASSES), allow_nan=False))
    assert plain["classes"]["Mass"]["auroc"]["low"] == scores.classes[1].auroc.low
    assert plain["classes"]["Hernia"]["auroc"] == {"value": None, "low": None, "high": None, "resamples": 0}
    assert (plain["mean_over"], plain["left_out"]) == (["Mass"], ["Hernia"])
    assert (plain["films"], plain["patients"], plain["resamples"]) == (90, 30, 50)


def test_names_that_do_not_fit_the_scores_are_refused(scores):
    with pytest.raises(ValueError, match="zip"):
        scores_json(scores, CLASSES[:2])


def test_scores_come_back_from_json_as_they_were(scores):
    read = scores_from_json(json.loads(json.dumps(scores_json(scores, CLASSES))), CLASSES)
    # NaN is not equal to itself; its text is.
    assert repr(read) == repr(scores)


def test_scores_without_one_of_the_classes_are_no_scores(scores):
    with pytest.raises(KeyError, match="Edema"):
        scores_from_json(scores_json(scores, CLASSES), [*CLASSES, "Edema"])
