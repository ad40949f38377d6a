"""How far a run is committed: what its newest checkpoint says."""

from typing import NamedTuple

from trainer.checkpoint.reading import newest_state
from trainer.data.store.store import Store


class Standing(NamedTuple):
    """Where the newest checkpoint stands, and the attempt that wrote it; ``batch`` of ``epoch`` is the next one."""

    attempt: int
    step: int
    epoch: int
    batch: int


def standing(store: Store) -> Standing | None:
    """Of the run in a store; None if nothing is committed."""
    reached = newest_state(store)
    if reached is None:
        return None
    mark, state = reached
    return Standing(mark.attempt, state.step, state.epoch, state.batch)
