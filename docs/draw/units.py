"""Numbers in Grafana's units, as short text."""

import math


def text(value: float, unit: str, decimals: int | None = None) -> str:
    """A value as a panel shows it; a dash for what is not known."""
    if math.isnan(value):
        return "-"
    if unit == "percentunit":
        # Without the sign of a zero.
        return f"{round(value, 2 + (decimals or 0)) + 0.0:.{decimals or 0}%}"
    if unit == "s":
        return _seconds(value)
    if unit == "bytes":
        return _bytes(value)
    if unit == "sci":
        return f"{value:.1e}"
    number = _number(value) if decimals is None else f"{value:,.{decimals}f}"
    return number + unit.removeprefix("suffix:") if unit.startswith("suffix:") else number


def _seconds(value: float) -> str:
    if abs(value) < 1:
        return f"{value * 1000:.0f} ms"
    if abs(value) < 60:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if abs(value) < 3600 else f"{value / 3600:.3g} h"


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024 or unit == "GiB":
            return f"{value:.3g} {unit}"
        value /= 1024
    raise AssertionError


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"
