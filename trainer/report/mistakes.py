"""The films that a network is most wrong about: positives it scores lowest, and negatives it scores highest."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.metrics.estimate import Floats


class Mistakes(NamedTuple):
    """Of one class, the worst first; films by their place in the set."""

    misses: tuple[int, ...]
    false_alarms: tuple[int, ...]


def worst_mistakes(scores: Floats, labels: Floats, threshold: float | None, most: int) -> Mistakes:
    """Up to ``most`` of each kind.

    Args:
        scores: float [films].
        labels: float [films], 1 positive, 0 negative, NaN unknown: never a mistake.
        threshold: a film is called positive from here on; None: every positive may be a miss, every negative an alarm.
        most: films of each kind.
    """
    called = np.ones(len(scores), bool) if threshold is None else scores >= threshold
    not_called = np.ones(len(scores), bool) if threshold is None else ~called
    misses = _lowest(scores, (labels == 1) & not_called, most)
    return Mistakes(misses, _lowest(-scores, (labels == 0) & called, most))


def _lowest(values: Floats, among: npt.NDArray[np.bool_], most: int) -> tuple[int, ...]:
    films = np.flatnonzero(among)
    return tuple(films[np.argsort(values[films], kind="stable")][:most].tolist())
