"""How numbers, names and intervals are written on the page."""

import math

from trainer.metrics.estimate import Estimate

UNDEFINED = "not defined"


def readable(name: str) -> str:
    """A class as people write it."""
    return name.replace("_", " ")


def number(value: float, digits: int = 3) -> str:
    """With so many digits after the point; words for NaN."""
    return UNDEFINED if math.isnan(value) else f"{value:.{digits}f}"


def with_interval(estimate: Estimate, digits: int = 3) -> str:
    """``0.923 (0.880 to 0.959)``, without bounds where there are none."""
    value = number(estimate.value, digits)
    if math.isnan(estimate.low) or math.isnan(estimate.value):
        return value
    return f"{value} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"


def percent(fraction: float) -> str:
    """Whole percents."""
    return UNDEFINED if math.isnan(fraction) else f"{fraction:.0%}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 film``, ``1,200 films``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
