"""The history: rows come back in order, and a resume drops what it undid."""

import pytest

from trainer.checkpoint.history import FILE, History, Row, read
from trainer.data.store.store import Store


def row(step: int, **values: float) -> Row:
    return {"kind": "step", "step": step, "epoch": 0, **values}


def write(store: Store, history: History) -> None:
    store.write(FILE, history.content())


@pytest.fixture
def written(store: Store) -> Store:
    """A run's store with the rows of five steps."""
    history = History()
    for step in range(1, 6):
        history.add(row(step, loss=1.0 / step))
    write(store, history)
    return store


def test_rows_come_back_in_their_order(written: Store) -> None:
    assert read(written) == [row(step, loss=1.0 / step) for step in range(1, 6)]


def test_a_run_without_history_has_no_rows(store: Store) -> None:
    assert read(store) == []


def test_a_resume_drops_the_rows_it_undoes(written: Store) -> None:
    again = History.resumed(written, step=2, epoch=9)
    again.add(row(3, loss=9.0))
    write(written, again)
    assert [each["step"] for each in read(written)] == [1, 2, 3]
    assert read(written)[-1]["loss"] == 9.0


def test_a_start_from_nothing_drops_every_row(written: Store) -> None:
    assert History.resumed(written, step=0, epoch=9).content() == b""


def test_unknown_scores_are_kept_as_unknown(store: Store) -> None:
    history = History()
    history.add({"kind": "epoch", "step": 4, "epoch": 1, "validation_auroc": None})
    write(store, history)
    assert read(store)[0]["validation_auroc"] is None


def test_an_epoch_closed_after_the_checkpoint_of_its_last_step_is_not_told_twice(store: Store) -> None:
    closed = {"kind": "epoch", "step": 4, "epoch": 1}
    write(store, History([closed]))

    again = History.resumed(store, step=4, epoch=0)
    again.add(closed)
    write(store, again)

    assert read(store) == [closed]
