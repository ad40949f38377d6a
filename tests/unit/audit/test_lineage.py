"""Which steps count: those on the way to the newest checkpoint, each once, whatever was undone on other ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.audit.lineage import Origin, Span, lineage
from trainer.errors import DataError


def test_a_run_that_was_never_stopped_is_one_span() -> None:
    assert lineage(1, 38, {1: Origin(0, 0)}) == [Span(1, 0, 38)]


def test_steps_after_the_point_that_a_later_attempt_went_on_from_do_not_count() -> None:
    origins = {1: Origin(0, 0), 2: Origin(1, 20), 3: Origin(2, 30)}
    assert lineage(3, 38, origins) == [Span(3, 30, 38), Span(2, 20, 30), Span(1, 0, 20)]


def test_an_attempt_that_led_to_nothing_does_not_count_even_if_it_went_on_from_further_back() -> None:
    # The second found step 30 unreadable, and died before it had saved; the third could read it again.
    origins = {1: Origin(0, 0), 2: Origin(1, 10), 3: Origin(1, 30)}
    assert lineage(3, 38, origins) == [Span(3, 30, 38), Span(1, 0, 30)]


def test_attempts_newer_than_the_newest_checkpoint_do_not_count() -> None:
    assert lineage(1, 20, {1: Origin(0, 0), 2: Origin(1, 20)}) == [Span(1, 0, 20)]


def test_what_led_to_an_attempt_without_a_record_stays_open() -> None:
    assert lineage(3, 38, {1: Origin(0, 0), 3: Origin(2, 30)}) == [Span(3, 30, 38)]


@pytest.mark.parametrize("origin", [Origin(2, 10), Origin(3, 10), Origin(1, 39)])
def test_an_attempt_that_went_on_from_what_cannot_lead_to_it_is_refused(origin: Origin) -> None:
    with pytest.raises(DataError, match=r"attempt 2.*cannot lead to step 38"):
        lineage(2, 38, {1: Origin(0, 0), 2: origin})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=8))
def test_the_spans_hold_each_step_once(lengths: list[int]) -> None:
    origins, step = {}, 0
    for attempt, length in enumerate(lengths, start=1):
        origins[attempt] = Origin(attempt - 1, step)
        step += length
    spans = lineage(len(lengths), step, origins)
    assert sorted(each for span in spans for each in range(span.after + 1, span.last + 1)) == list(range(1, step + 1))
