"""The snapshots that wait to be written: few, because each is a copy of all weights and the optimizer's moments."""

from collections import deque
from dataclasses import dataclass

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.snapshot import Snapshot

MOST = 2


@dataclass(frozen=True, eq=False)
class Waiting:
    """A snapshot, and the run's history up to it."""

    snapshot: Snapshot
    history: bytes

    @property
    def step(self) -> int:
        """The step it was taken after."""
        return self.snapshot.state.step

    @property
    def is_best(self) -> bool:
        """Whether it validated best of all so far."""
        state = self.snapshot.state
        return state.best == Mark(state.attempt, state.step).folder


class Outbox:
    """At most MOST snapshots, the oldest first."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether one more makes an older one go."""
        return len(self._waiting) >= MOST

    def steps(self) -> list[int]:
        """Of what waits, in order."""
        return [each.step for each in self._waiting]

    def first(self) -> Waiting | None:
        """What is to be written next."""
        return self._waiting[0] if self._waiting else None

    def put(self, one: Waiting) -> None:
        """Adds the newest. Where that is one too many, of the older ones only the best of them stays."""
        if self.is_full:
            best = [each for each in self._waiting if each.is_best][-1:]
            self._waiting = deque([] if one.is_best else best)
        self._waiting.append(one)

    def remove(self, one: Waiting) -> None:
        """It is written, if it still waits."""
        if one in self._waiting:
            self._waiting.remove(one)
