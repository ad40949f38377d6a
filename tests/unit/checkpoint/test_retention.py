"""What is kept: always the newest, always the best, the ends of epochs that were asked for, and little else."""

from hypothesis import given
from hypothesis import strategies as st

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.retention import Kept, kept

BATCHES = 4

checkpoints = st.builds(
    lambda attempt, step: Kept(Mark(attempt, step), *divmod(step, BATCHES)), st.integers(1, 4), st.integers(1, 40)
)
found = st.lists(checkpoints, min_size=1, unique_by=lambda each: each.mark)


def ends(*steps: int) -> list[Kept]:
    return [Kept(Mark(1, step), *divmod(step, BATCHES)) for step in steps]


@given(found, st.integers(1, 5), st.integers(0, 3))
def test_the_newest_is_always_kept(all_found: list[Kept], last: int, every: int) -> None:
    assert max(each.mark for each in all_found) in kept(all_found, None, last=last, every_epochs=every)


@given(found, st.integers(1, 5), st.integers(0, 3), st.data())
def test_the_best_is_always_kept(all_found: list[Kept], last: int, every: int, data: st.DataObject) -> None:
    best = data.draw(st.sampled_from(all_found)).mark
    assert best in kept(all_found, best, last=last, every_epochs=every)


@given(found, st.integers(1, 5))
def test_no_more_than_asked_for_are_kept(all_found: list[Kept], last: int) -> None:
    assert len(kept(all_found, None, last=last, every_epochs=0)) <= last


@given(found, st.integers(1, 5), st.integers(0, 3))
def test_what_is_kept_is_kept_again(all_found: list[Kept], last: int, every: int) -> None:
    once = kept(all_found, None, last=last, every_epochs=every)
    rest = [each for each in all_found if each.mark in once]
    assert kept(rest, None, last=last, every_epochs=every) == once


@given(found, st.integers(1, 3))
def test_every_epochs_end_of_the_runs_own_course_is_kept(all_found: list[Kept], every: int) -> None:
    newest = max(each.mark.attempt for each in all_found)
    asked = {
        each.mark
        for each in all_found
        if each.mark.attempt == newest and each.batch == 0 and each.epoch and each.epoch % every == 0
    }
    assert asked <= kept(all_found, None, last=1, every_epochs=every)


@given(found, st.integers(1, 5), st.integers(1, 3))
def test_of_one_step_one_checkpoint_is_kept_at_most(all_found: list[Kept], last: int, every: int) -> None:
    steps = [each.step for each in kept(all_found, None, last=last, every_epochs=every)]
    assert len(steps) == len(set(steps))


def test_the_last_ones_and_every_second_epoch_are_kept() -> None:
    marks = kept(ends(4, 8, 12, 16, 18, 19), Mark(1, 4), last=2, every_epochs=2)
    assert sorted(each.step for each in marks) == [4, 8, 16, 18, 19]


def test_what_a_resume_undid_is_not_kept() -> None:
    again = Kept(Mark(2, 10), 2, 2)
    marks = kept([*ends(4, 8, 12, 16), again], None, last=3, every_epochs=0)
    assert sorted((each.attempt, each.step) for each in marks) == [(1, 4), (1, 8), (2, 10)]
