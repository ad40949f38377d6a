"""The picture of a run is a PNG, the same for the same history."""

import io

from PIL import Image

from trainer.report.curves import draw_curves

STEPS = [{"kind": "step", "step": each, "epoch": 1, "loss": 1 / (1 + each)} for each in range(9)]
EPOCH = {"kind": "epoch", "step": 9, "epoch": 1, "loss": 0.3}
VALIDATED = EPOCH | {"step": 18, "epoch": 2, "validation_loss": 0.35, "validation_auroc": 0.7}


def test_the_same_history_gives_the_same_bytes():
    assert draw_curves([*STEPS, EPOCH, VALIDATED]) == draw_curves([*STEPS, EPOCH, VALIDATED])


def test_the_picture_is_wide_enough_to_read_and_does_not_date_itself():
    with Image.open(io.BytesIO(draw_curves([*STEPS, VALIDATED]))) as picture:
        assert picture.size == (1200, 480)
        assert "Software" not in picture.info


def test_validation_shows_in_the_picture_and_may_be_absent():
    assert draw_curves([*STEPS, EPOCH]) != draw_curves([*STEPS, EPOCH, VALIDATED])


def test_a_run_that_has_not_begun_draws_empty_panels():
    assert len(draw_curves([])) > 1000
