"""From stored values to gray, as one table over all values there can be: PS3.3, C.11."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.film.images import Pixels

Floats = npt.NDArray[np.float64]
WindowShape = Literal["linear", "linear_exact", "sigmoid"]

_BLOCK_ROWS = 32


class Rescale(NamedTuple):
    """The modality LUT as a line: C.11.1.1.2."""

    slope: float
    intercept: float

    def apply(self, values: Floats) -> Floats:
        """In the units of the modality."""
        return values * self.slope + self.intercept

    def lowest(self, bits: int, signed: bool) -> float:
        """What can come out at the least."""
        return float(self.apply(np.array(value_range(bits, signed), dtype=np.float64)).min())


class LookUp(NamedTuple):
    """A table of entries, float [entries], each of ``bits``; the first is for ``first`` and all below: C.11.1.1.1."""

    first: int
    entries: Floats
    bits: int

    def apply(self, values: Floats) -> Floats:
        """The values' entries."""
        places: npt.NDArray[np.intp] = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.intp)
        return self.entries[places]

    def shade(self, values: Floats) -> Floats:
        """The values' entries as a part of the largest there can be: 0 to 1."""
        return np.clip(self.apply(values) / ((1 << self.bits) - 1), 0.0, 1.0)


class Window(NamedTuple):
    """Centre, width and shape, in the units of the modality: C.11.2.1.2 and C.11.2.1.3."""

    centre: float
    width: float
    shape: WindowShape

    def shade(self, values: Floats) -> Floats:
        """Black to white as 0 to 1."""
        if self.shape == "sigmoid":
            # Where the shade is 0 to a double's precision, the power would overflow.
            power = np.minimum(-4.0 * (values - self.centre) / self.width, 700.0)
            shades: Floats = 1.0 / (1.0 + np.exp(power))
            return shades
        if self.shape == "linear_exact":
            return np.clip((values - self.centre) / self.width + 0.5, 0.0, 1.0)
        if self.width == 1.0:
            return (values > self.centre - 0.5).astype(np.float64)
        return np.clip((values - (self.centre - 0.5)) / (self.width - 1.0) + 0.5, 0.0, 1.0)


class Look(NamedTuple):
    """What is done to a stored value, in order; padding: the first and last value that is no part of the image."""

    modality: Rescale | LookUp
    voi: LookUp | Window | None
    padding: tuple[int, int] | None
    inverted: bool


def to_gray(stored: npt.NDArray[Any], bits: int, signed: bool, look: Look) -> Pixels:
    """The film as it is meant to be seen: uint8 [height, width]; padding is black.

    Args:
        stored: integers [height, width] of ``bits`` bits.
        bits: 1 to 16.
        signed: two's complement.
        look: how it is shown; without a VOI LUT or window from the least to the greatest pixel that is no padding.
    """
    low, high = value_range(bits, signed)
    values = np.arange(low, high + 1)
    image = np.ones(len(values), dtype=bool)
    if look.padding is not None:
        image = (values < look.padding[0]) | (values > look.padding[1])
    # Absurd slopes and widths give infinities and none at all, which are shown as white and black.
    with np.errstate(all="ignore"):
        units = look.modality.apply(values.astype(np.float64))
        shades = look.voi.shade(units) if look.voi else _full_range(units, image & _occurring(stored, low, len(values)))
    shades = np.nan_to_num(1.0 - shades if look.inverted else shades)
    table = np.where(image, np.rint(255.0 * shades), 0.0).astype(np.uint8)
    film = np.empty(stored.shape, dtype=np.uint8)
    for rows in _blocks(len(stored)):
        film[rows] = table[stored[rows].astype(np.intp) - low]
    return film


def value_range(bits: int, signed: bool) -> tuple[int, int]:
    """The least and the greatest stored value."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def _occurring(stored: npt.NDArray[Any], low: int, count: int) -> npt.NDArray[np.bool_]:
    occurring = np.zeros(count, dtype=bool)
    for rows in _blocks(len(stored)):
        occurring[stored[rows].astype(np.intp) - low] = True
    return occurring


def _blocks(rows: int) -> list[slice]:
    """A few rows at a time: numpy wants indices of 8 bytes, and a whole film of them costs more than the look-up."""
    return [slice(start, start + _BLOCK_ROWS) for start in range(0, rows, _BLOCK_ROWS)]


def _full_range(units: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
    """From the least to the greatest of the ``counted``; all alike: black."""
    if not counted.any():
        return np.zeros_like(units)
    low, high = units[counted].min(), units[counted].max()
    return np.clip((units - low) / (high - low), 0.0, 1.0) if high > low else np.zeros_like(units)
