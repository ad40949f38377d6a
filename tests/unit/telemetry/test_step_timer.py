"""The step timer, on a clock that the test turns."""

import pytest

from trainer.telemetry.step_timer import Phases, StepTime, StepTimer, Window


class Clock:
    now = 100.0

    def __call__(self):
        return self.now

    def turn(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timer(clock):
    return StepTimer(clock, window_steps=3)


def run_step(timer, clock, wait, work, films=10):
    with timer.waiting():
        clock.turn(wait)
    clock.turn(work)
    return timer.step_done(films)


def test_a_step_runs_from_the_last_ones_end_and_includes_its_wait(timer, clock):
    run_step(timer, clock, 1.0, 20.0)
    assert run_step(timer, clock, 0.5, 1.5) == StepTime(2.0, 0.5)


def test_several_waits_of_a_step_add_up_and_the_next_step_starts_anew(timer, clock):
    with timer.waiting():
        clock.turn(1.0)
    assert run_step(timer, clock, 2.0, 0.0).input_wait_seconds == 3.0
    assert run_step(timer, clock, 0.0, 1.0).input_wait_seconds == 0.0


def test_the_window_averages_the_last_steps_only(timer, clock):
    for wait in (9.0, 9.0, 1.0, 1.0, 1.0):
        run_step(timer, clock, wait, 3.0)
    assert timer.window() == Window(films_per_second=2.5, step_seconds=4.0, input_fraction=0.25)


def test_the_first_step_which_traces_is_kept_out_of_the_window(timer, clock):
    assert run_step(timer, clock, 0.0, 20.0).seconds == 20.0
    assert timer.window() is None
    assert timer.eta_seconds(5) is None
    run_step(timer, clock, 0.0, 2.0)
    assert timer.eta_seconds(5) == 10.0


def test_a_pause_between_steps_is_counted_nowhere(timer, clock):
    run_step(timer, clock, 0.0, 1.0)
    clock.turn(60.0)
    timer.start()
    assert run_step(timer, clock, 0.0, 1.0).seconds == 1.0


def test_a_wait_that_ends_in_an_error_is_counted_and_lets_it_pass(timer, clock):
    def no_more_films():
        clock.turn(2.0)
        raise StopIteration

    with pytest.raises(StopIteration), timer.waiting():
        no_more_films()
    assert timer.step_done(1).input_wait_seconds == 2.0


def test_steps_that_took_no_time_have_no_rate(timer, clock):
    run_step(timer, clock, 0.0, 0.0)
    run_step(timer, clock, 0.0, 0.0)
    assert timer.window() == Window(0.0, 0.0, 0.0)


def test_the_allreduce_fraction_is_of_the_sampled_step():
    assert Phases(compute_seconds=6.0, allreduce_seconds=3.0, apply_seconds=1.0).allreduce_fraction == 0.3
