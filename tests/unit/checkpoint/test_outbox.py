"""What waits while a store is away: little, always the newest, always the best."""

from hypothesis import given
from hypothesis import strategies as st

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.outbox import MOST, Outbox, Waiting


def waiting(made, step: int, *, best: bool = False) -> Waiting:
    return Waiting(made(step, best=Mark(1, step).folder if best else ""), b"")


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_the_newest_and_the_best_of_what_came_wait(made, which_are_best: list[bool]) -> None:
    outbox = Outbox()
    for step, best in enumerate(which_are_best, start=1):
        outbox.put(waiting(made, step, best=best))
    steps = outbox.steps()
    assert len(steps) <= MOST
    assert steps == sorted(steps)
    assert steps[-1] == len(which_are_best)
    assert not any(which_are_best) or len(which_are_best) - which_are_best[::-1].index(True) in steps


def test_what_is_written_waits_no_longer(made) -> None:
    outbox = Outbox()
    one = waiting(made, 1)
    outbox.put(one)
    outbox.remove(one)
    outbox.remove(one)
    assert outbox.first() is None
