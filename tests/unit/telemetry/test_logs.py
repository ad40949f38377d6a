"""Lines for people, lines for programs, and the progress of a phase."""

import io
import json
import re
from datetime import datetime

import pytest
from rich.console import Console

from trainer.telemetry.logs import Progress, duration, progress_line, start


@pytest.fixture
def stream():
    return io.StringIO()


def test_a_line_of_text_is_the_time_and_the_message(stream):
    start("text", 0, stream).info("epoch %d", 3)
    assert re.fullmatch(r"\d\d:\d\d:\d\d epoch 3\n", stream.getvalue())


def test_other_ranks_say_only_warnings_after_their_name(stream):
    logger = start("text", 3, stream)
    logger.info("hidden")
    logger.warning("input is slow")
    assert re.fullmatch(r"\d\d:\d\d:\d\d rank 3: warning: input is slow\n", stream.getvalue())


def test_starting_again_replaces_what_was_set_up(stream):
    start("text", 0, io.StringIO())
    start("text", 0, stream).info("once")
    assert stream.getvalue().count("once") == 1


def test_a_line_of_json_has_time_level_rank_message_and_the_extra_fields(stream):
    start("json", 2, stream).warning("step %d", 7, extra={"loss": 0.5, "films": 32})
    line = json.loads(stream.getvalue())
    assert datetime.fromisoformat(line.pop("time")).utcoffset().total_seconds() == 0
    assert line == {"level": "warning", "rank": 2, "message": "step 7", "loss": 0.5, "films": 32}


def test_json_lines_hold_no_nan_and_stay_one_line(stream):
    start("json", 0, stream).info("a\nb", extra={"auc": float("nan")})
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue(), parse_constant=pytest.fail)["auc"] is None


def test_an_exception_is_a_field_of_the_json_line(stream):
    logger = start("json", 0, stream)
    try:
        raise OSError("disk full")
    except OSError:
        logger.exception("checkpoint failed")
    assert "OSError: disk full" in json.loads(stream.getvalue())["exception"]


def test_the_line_of_a_step_reads_as_documented():
    line = progress_line(
        epoch=3, epochs=10, step=120, steps=877, loss=0.163, auc=0.713, films_per_second=412.4,
        input_fraction=0.01, allreduce_fraction=0.06, eta_seconds=720,
    )  # fmt: skip
    assert line == "epoch 3/10  step 120/877  loss 0.163  auc 0.713  412 films/s  input 1%  allreduce 6%  eta 12m"


def test_unknown_parts_are_left_out_and_a_lost_loss_is_shown():
    assert progress_line(epoch=1, epochs=2, step=1, steps=9, auc=float("nan")) == "epoch 1/2  step 1/9"
    assert progress_line(epoch=1, epochs=2, step=1, steps=9, loss=float("nan")) == "epoch 1/2  step 1/9  loss nan"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0s"), (45, "45s"), (59.7, "1m"), (720, "12m"), (3599, "1h00m"), (3900, "1h05m"), (93600, "26h00m")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def plain(stream):
    return Console(file=stream, width=40)


def test_without_a_terminal_a_line_comes_every_ten_seconds_and_one_at_the_end(stream, clock):
    with Progress("preparing", total=3000, unit="films", console=plain(stream), clock=clock) as bar:
        for _ in range(12):
            clock.now += 1.0
            bar.advance(250)
    assert stream.getvalue().splitlines() == [
        "preparing: 2500/3000 films, 250 films/s, 2s left",
        "preparing: 3000 films in 12s, 250 films/s",
    ]


def test_an_unknown_total_is_not_guessed(stream, clock):
    with Progress("reading", total=None, unit="films", console=plain(stream), clock=clock) as bar:
        clock.now = 20.0
        bar.advance(50)
    assert stream.getvalue().splitlines() == ["reading: 50 films, 2.5 films/s", "reading: 50 films in 20s, 2.5 films/s"]


def test_a_phase_that_fails_leaves_the_word_to_the_error(stream, clock):
    with (
        pytest.raises(OSError, match="gone"),
        Progress("preparing", total=3, unit="films", console=plain(stream), clock=clock),
    ):
        raise OSError("gone")
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_the_last_line(stream, clock):
    console = Console(file=stream, force_terminal=True, width=80)
    with Progress("preparing", total=100, unit="films", console=console, clock=clock) as bar:
        clock.now = 4.0
        bar.advance(100)
    assert "━" in stream.getvalue()
    assert stream.getvalue().endswith("preparing: 100 films in 4s, 25 films/s\n")
