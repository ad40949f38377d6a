"""Where a step's time goes: input wait, sampled phases, films a second, and the time left."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True, slots=True)
class StepTime:
    """One step, in seconds; ``seconds`` runs from the last step's end and includes the wait."""

    seconds: float
    input_wait_seconds: float


@dataclass(frozen=True, slots=True)
class Phases:
    """The phases of one step that was run in parts to be timed, in seconds."""

    compute_seconds: float
    allreduce_seconds: float
    apply_seconds: float

    @property
    def allreduce_fraction(self) -> float:
        """Part of the step spent in the allreduce, which includes waiting for slower ranks."""
        return _fraction(self.allreduce_seconds, self.compute_seconds + self.allreduce_seconds + self.apply_seconds)


@dataclass(frozen=True, slots=True)
class Window:
    """Averages over the last steps, for the log line."""

    films_per_second: float
    step_seconds: float
    input_fraction: float


class StepTimer:
    """Times the steps of a loop.

    ::

        timer.start()                    # before the first step, and after a pause: validation, a checkpoint
        for ...:
            with timer.waiting():
                batch = next(batches)
            ...
            step_time = timer.step_done(films=32)

    The first step of all is timed but kept out of the window: it traces the graph, and says nothing of the next.

    Args:
        clock: seconds from any origin, never going back.
        window_steps: steps that the averages are taken over.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter, window_steps: int = 20) -> None:
        self.phases: Phases | None = None
        """Of the last step that was sampled."""
        self._clock = clock
        self._steps: deque[tuple[float, float, int]] = deque(maxlen=window_steps)
        self._first = True
        self._wait = _Wait(clock)
        self.start()

    def start(self) -> None:
        """Begin a step now; the time since the last one's end is counted nowhere."""
        self._wait.seconds = 0.0
        self._began = self._clock()

    def waiting(self) -> "_Wait":
        """Context in which the step waits for its films; several in one step add up."""
        return self._wait

    def step_done(self, films: int) -> StepTime:
        """End the step and begin the next; films are those of the global batch, of weight above 0."""
        now = self._clock()
        done = StepTime(now - self._began, self._wait.seconds)
        if self._first:
            self._first = False
        else:
            self._steps.append((done.seconds, done.input_wait_seconds, films))
        self._began, self._wait.seconds = now, 0.0
        return done

    def window(self) -> Window | None:
        """Averages over the last steps; None before the second step is done."""
        if not self._steps:
            return None
        seconds, waits, films = (sum(column) for column in zip(*self._steps, strict=True))
        return Window(_fraction(films, seconds), seconds / len(self._steps), _fraction(waits, seconds))

    def eta_seconds(self, steps_left: int) -> float | None:
        """Time the remaining steps take at the window's pace, pauses left out; None before the second step."""
        window = self.window()
        return None if window is None else steps_left * window.step_seconds


class _Wait:
    """Adds up the time spent inside; made once, because the loop enters it at each step."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._clock = clock
        self._entered = 0.0

    def __enter__(self) -> None:
        self._entered = self._clock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds += self._clock() - self._entered


def _fraction(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
