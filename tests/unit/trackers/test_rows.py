"""Rows of the history by the names they are tracked under."""

import math
from typing import Any

from trainer.trackers.rows import TOLD_BY, untold, values

STEP: dict[str, Any] = {"kind": "step", "time": 5.0, "step": 20, "epoch": 0, "loss": 0.5, "learning_rate": 1e-4}
EPOCH: dict[str, Any] = {
    "kind": "epoch",
    "step": 40,
    "epoch": 1,
    "loss": 0.4,
    "validation_loss": 0.3,
    "validation_auroc": 0.7,
    "validation_aurocs": {"Mass": 0.7, "Hernia": None},
}


def test_a_row_of_a_step_tells_what_is_known_of_the_step() -> None:
    assert values(STEP) == {"train/epoch": 0.0, "train/loss": 0.5, "train/learning_rate": 1e-4}


def test_a_row_of_an_epoch_tells_the_area_of_each_class_that_has_one() -> None:
    assert values(EPOCH) == {
        "train/epochs_done": 1.0,
        "train/epoch_loss": 0.4,
        "validation/loss": 0.3,
        "validation/auroc_mean": 0.7,
        "validation/auroc/Mass": 0.7,
    }


def test_what_is_no_number_is_left_out() -> None:
    found = values({**STEP, "loss": math.nan, "gradient_norm": math.inf, "films_per_second": None})
    assert found == {"train/epoch": 0.0, "train/learning_rate": 1e-4}


def test_every_row_has_the_value_that_says_how_far_it_was_told() -> None:
    bare = {"step": 1, "epoch": 1}
    assert [set(values({"kind": kind, **bare})) for kind in TOLD_BY] == [{name} for name in TOLD_BY.values()]


def test_a_row_is_told_once_though_another_kind_of_row_is_further() -> None:
    assert untold([STEP, EPOCH], {"step": 40, "epoch": 0}) == [EPOCH]
    assert untold([STEP, EPOCH], {"step": 19}) == [STEP, EPOCH]
    assert untold([STEP, EPOCH], {"step": 20, "epoch": 40}) == []


def test_names_can_be_files_of_a_folder() -> None:
    """No name is a folder of another, and MLflow takes every letter."""
    names = {**values(STEP), **values(EPOCH), **values({**STEP, "gradient_norm": 1.0, "films_per_second": 1.0})}
    assert not [(a, b) for a in names for b in names if b.startswith(f"{a}/")]
