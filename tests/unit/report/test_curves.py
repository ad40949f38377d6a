"""The picture of a run is a PNG, the same for the same history."""

from PIL import Image

from trainer.report.curves import draw_curves

STEPS = [{"kind": "step", "step": each, "epoch": 1, "loss": 1 / (1 + each)} for each in range(9)]
EPOCH = {"kind": "epoch", "step": 9, "epoch": 1, "loss": 0.3}
VALIDATED = EPOCH | {"step": 18, "epoch": 2, "validation_loss": 0.35, "validation_auroc": 0.7}


def test_the_same_history_gives_the_same_bytes(tmp_path):
    draw_curves([*STEPS, EPOCH, VALIDATED], tmp_path / "a.png")
    draw_curves([*STEPS, EPOCH, VALIDATED], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_picture_is_wide_enough_to_read_and_does_not_date_itself(tmp_path):
    draw_curves([*STEPS, VALIDATED], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (1200, 480)
        assert "Software" not in picture.info


def test_validation_shows_in_the_picture_and_may_be_absent(tmp_path):
    draw_curves([*STEPS, EPOCH], tmp_path / "a.png")
    draw_curves([*STEPS, EPOCH, VALIDATED], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_a_run_that_has_not_begun_draws_empty_panels(tmp_path):
    draw_curves([], tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
