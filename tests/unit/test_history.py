"""The history: rows come back in order, a resume drops what it undid, a kill costs at most the last row."""

from pathlib import Path

from trainer.history import FILE, History, Row, read


def row(step: int, **values: float) -> Row:
    return {"kind": "step", "step": step, "epoch": 0, **values}


def written(directory: Path, steps: int) -> Path:
    history = History(directory, resumed_step=0, resumed_epoch=9)
    for step in range(1, steps + 1):
        history.add(row(step, loss=1.0 / step))
    return directory


def test_rows_come_back_in_their_order(tmp_path: Path) -> None:
    assert read(written(tmp_path, 3)) == [row(1, loss=1.0), row(2, loss=0.5), row(3, loss=1.0 / 3)]


def test_a_run_without_history_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path) == []


def test_a_resume_drops_the_rows_it_undoes(tmp_path: Path) -> None:
    again = History(written(tmp_path, 5), resumed_step=2, resumed_epoch=9)
    again.add(row(3, loss=9.0))
    assert [each["step"] for each in read(tmp_path)] == [1, 2, 3]
    assert read(tmp_path)[-1]["loss"] == 9.0


def test_a_start_from_nothing_drops_every_row(tmp_path: Path) -> None:
    History(written(tmp_path, 4), resumed_step=0, resumed_epoch=9)
    assert read(tmp_path) == []


def test_a_row_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, 2) / FILE
    file.write_bytes(file.read_bytes()[:-5])
    assert [each["step"] for each in read(tmp_path)] == [1]


def test_rows_after_a_cut_one_start_on_a_line_of_their_own(tmp_path: Path) -> None:
    file = written(tmp_path, 3) / FILE
    file.write_bytes(file.read_bytes()[:-5])
    History(tmp_path, resumed_step=2, resumed_epoch=9).add(row(3))
    assert [each["step"] for each in read(tmp_path)] == [1, 2, 3]


def test_unknown_scores_are_kept_as_unknown(tmp_path: Path) -> None:
    unknown = {"kind": "epoch", "step": 4, "epoch": 1, "validation_auroc": None}
    History(tmp_path, resumed_step=0, resumed_epoch=9).add(unknown)
    assert read(tmp_path)[0]["validation_auroc"] is None


def test_an_epoch_closed_after_the_checkpoint_of_its_last_step_is_not_told_twice(tmp_path: Path) -> None:
    closed = {"kind": "epoch", "step": 4, "epoch": 1, "validation_auroc": 0.7}
    History(tmp_path, resumed_step=0, resumed_epoch=0).add(closed)

    History(tmp_path, resumed_step=4, resumed_epoch=0).add(closed)

    assert read(tmp_path) == [closed]
