"""When a request is made again, and when no more: on a clock of the test's own."""

from collections import deque

import pytest

from trainer.data.store.causes import Cause, Verdict
from trainer.data.store.retries import Patience
from trainer.errors import StoreDown

BUSY = Verdict(Cause.AGAIN, "answers 503 SlowDown", "")


class Clock:
    """Stands still but for the pauses, which it keeps."""

    def __init__(self) -> None:
        self.now, self.pauses = 100.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def patience(clock: Clock, seconds: float, draw: float = 1.0) -> Patience:
    return Patience("data.training", "s3://b/a", seconds, lambda: clock.now, clock.sleep, lambda: draw)


def test_pauses_double_up_to_a_longest_and_the_last_try_comes_at_the_end() -> None:
    clock = Clock()
    asked = patience(clock, 60.0)
    with pytest.raises(StoreDown):
        deque(iter(lambda: asked.pause(BUSY), True))
    assert clock.pauses[:8] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0])
    assert max(clock.pauses) == 10.0
    assert sum(clock.pauses) == pytest.approx(60.0)


def test_pauses_are_drawn_from_nothing_to_the_bound() -> None:
    clock = Clock()
    asked = patience(clock, 60.0, draw=0.25)
    for _ in range(3):
        asked.pause(BUSY)
    assert clock.pauses == pytest.approx([0.025, 0.05, 0.1])


def test_what_is_asked_too_long_is_said_with_its_last_cause() -> None:
    clock = Clock()
    asked = patience(clock, 5.0)
    clock.now += 5.0
    with pytest.raises(
        StoreDown, match=r"data\.training: 's3://b/a' answers 503 SlowDown, asked for 5 s; check"
    ) as raised:
        asked.pause(BUSY)
    assert raised.value.exit_code == 145


def test_progress_counts_anew() -> None:
    clock = Clock()
    asked = patience(clock, 1.0)
    for _ in range(50):
        clock.now += 0.9
        asked.progressed()
        asked.pause(BUSY)
    assert clock.pauses == pytest.approx([0.1] * 50)


def test_no_patience_asks_once() -> None:
    with pytest.raises(StoreDown):
        patience(Clock(), 0.0).pause(BUSY)
