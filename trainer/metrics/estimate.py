"""A score with its interval, from the values that the score takes in resamples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Estimate:
    """A score, its percentile interval, and the number of resamples the interval rests on.

    The bounds are NaN without resamples, the value where it is not defined.
    """

    value: float
    low: float
    high: float
    resamples: int

    @classmethod
    def of(cls, value: float, draws: Floats, confidence: float) -> "Estimate":
        """From its values in resamples [resamples], NaN where it is not defined: those are left out."""
        used = draws[~np.isnan(draws)]
        if not used.size:
            return cls(float(value), float("nan"), float("nan"), 0)
        low, high = np.quantile(used, [(1 - confidence) / 2, (1 + confidence) / 2])
        return cls(float(value), float(low), float(high), len(used))


def ratio(part: Floats, whole: Floats) -> NDArray[np.float64]:
    """Parts of wholes of the same shape; NaN, which says 'not defined', where the whole is 0."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
