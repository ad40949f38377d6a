"""A tracker that fails, hangs or comes back costs a run nothing, and is told all in the end."""

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from trainer.checkpoint.history import Row
from trainer.trackers import delivery
from trainer.trackers.delivery import ROWS_AT_ONCE, Delivery, News
from trainer.trackers.tracker import NotTaken, Outcome, Pictures, Tracker

PATIENCE_SECONDS = 20.0


class Kept(Tracker):
    """Keeps what it is told; fails in the next ``failures`` calls, and hangs while ``open`` is not set."""

    name = "Kept"

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.said = failures, list[Any]()
        self.shown: list[Any] = []
        self.open = threading.Event()
        self.open.set()
        self.called = threading.Event()

    def begin(self) -> None:
        self._call()
        self.said = ["begin"]

    def tell(self, rows: Sequence[Row]) -> None:
        self._call()
        self.said += [row["step"] for row in rows]

    def show(self, pictures: Pictures) -> None:
        self.shown.append(pictures())

    def end(self, outcome: Outcome) -> None:
        self._call()
        self.said.append(outcome)

    def _call(self) -> None:
        self.called.set()
        self.open.wait()
        if self.failures:
            self.failures -= 1
            raise NotTaken("trackers", "here", "is away", "wait")


def rows(count: int) -> list[Row]:
    return [{"kind": "step", "step": step, "epoch": 0} for step in range(count)]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(delivery, "_BETWEEN_SECONDS", 0.0)


def test_all_rows_are_told_in_their_order_then_the_end() -> None:
    tracker = Kept()
    delivered = Delivery(tracker, rows(3 * ROWS_AT_ONCE + 1), PATIENCE_SECONDS)
    delivered.end("finished")
    assert tracker.said == ["begin", *range(3 * ROWS_AT_ONCE + 1), "finished"]
    assert delivered.news() == News(0, 0)


def test_rows_that_come_later_are_told_when_they_come() -> None:
    tracker, growing = Kept(), rows(1)
    delivered = Delivery(tracker, growing, PATIENCE_SECONDS)
    for row in rows(5)[1:]:
        growing.append(row)
        delivered.wake()
    delivered.end("stopped")
    assert tracker.said == ["begin", 0, 1, 2, 3, 4, "stopped"]


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_tracker_that_failed_is_begun_again_and_told_all(failures: int, caplog: pytest.LogCaptureFixture) -> None:
    tracker = Kept(failures)
    with caplog.at_level("INFO", "cxr_train"):
        delivered = Delivery(tracker, rows(5), PATIENCE_SECONDS)
        delivered.end("finished")
    assert tracker.said == ["begin", 0, 1, 2, 3, 4, "finished"]
    assert delivered.news() == News(failures, 0)
    assert delivered.news() == News(0, 0)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "Kept takes nothing; the run goes on, and asks again: trackers: 'here' is away; wait" in caplog.text


def test_a_tracker_that_is_away_for_long_is_named_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    delivered = Delivery(Kept(failures=10**9), rows(5), 0.3)
    with caplog.at_level("INFO", "cxr_train"):
        delivered.end("finished")
    news = delivered.news()
    assert news.failures > 1
    assert news.pending == 5
    assert len([each for each in caplog.records if "takes nothing" in each.message]) == 1
    assert "Kept was not told all of the run: 5 rows are left" in caplog.text


def test_a_tracker_that_hangs_holds_nobody_longer_than_patience() -> None:
    tracker = Kept()
    tracker.open.clear()
    growing = rows(5)
    delivered = Delivery(tracker, growing, 0.2)
    assert tracker.called.wait(PATIENCE_SECONDS)
    began = time.monotonic()
    for _ in range(1000):
        growing.append({"kind": "step", "step": 9, "epoch": 0})
        delivered.wake()
        delivered.news()
    assert time.monotonic() - began < 1.0
    assert delivered.news().pending == 1005
    delivered.end("finished")
    assert time.monotonic() - began < 5.0
    tracker.open.set()


def test_an_error_of_any_kind_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Kept):
        def tell(self, rows: Sequence[Row]) -> None:
            raise RuntimeError(f"no {len(rows)} rows\nfor me")

    Delivery(Broken(), rows(2), 0.2).end("finished")
    assert "asks again: RuntimeError: no 2 rows for me" in caplog.text


def test_pictures_are_made_in_the_trackers_thread_once() -> None:
    tracker, makers = Kept(), []
    delivered = Delivery(tracker, rows(2), PATIENCE_SECONDS)

    def pictures() -> Any:
        makers.append(threading.current_thread())
        return np.zeros((1, 2, 2, 1), np.float32)

    delivered.show(pictures)
    delivered.end("finished")
    assert len(tracker.shown) == len(makers) == 1
    assert makers[0] is not threading.main_thread()


def test_pictures_that_cannot_be_made_keep_no_row_from_being_told() -> None:
    tracker = Kept()
    delivered = Delivery(tracker, rows(3), PATIENCE_SECONDS)

    def pictures() -> Any:
        raise MemoryError

    delivered.show(pictures)
    delivered.end("finished")
    assert tracker.said == ["begin", 0, 1, 2, "finished"]
    assert tracker.shown == []
