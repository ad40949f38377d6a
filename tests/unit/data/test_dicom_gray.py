"""Stored values to gray, against the pseudo-code of PS3.3, C.11, value by value."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.film.dicom_gray import Look, LookUp, Rescale, Window, WindowShape, to_gray

AS_STORED = Rescale(1.0, 0.0)

values = st.lists(st.integers(-40_000, 70_000), min_size=1, max_size=30).map(lambda drawn: np.array(drawn, dtype=float))
finite = st.floats(allow_nan=False, allow_infinity=False)
centres = st.floats(-40_000, 70_000, allow_nan=False)


def shown(stored: list[int], look: Look, bits: int = 8, *, signed: bool = False) -> list[int]:
    kind = np.int16 if signed else np.uint16
    return to_gray(np.array([stored], dtype=kind), bits, signed, look)[0].tolist()


def linear(x: float, c: float, w: float) -> float:
    """C.11.2.1.2.1, with 0 and 1 for the least and greatest output."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def linear_exact(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.2."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 1.0
    return (x - c) / w + 0.5


def sigmoid(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.1."""
    power = -4 * (x - c) / w
    return 0.0 if power > 700 else 1.0 / (1.0 + math.exp(power))


@pytest.mark.parametrize(
    ("shape", "rule", "least"),
    [("linear", linear, 1.0), ("linear_exact", linear_exact, 1e-3), ("sigmoid", sigmoid, 1e-3)],
)
@given(data=st.data(), x=values, centre=centres)
def test_a_window_is_the_standards(
    shape: WindowShape, rule, least: float, data: st.DataObject, x: npt.NDArray[np.float64], centre: float
) -> None:
    width = data.draw(st.floats(least, 100_000))
    expected = [rule(each, centre, width) for each in x.tolist()]
    np.testing.assert_allclose(Window(centre, width, shape).shade(x), expected, atol=1e-9)


def test_a_full_window_of_8_bits_changes_nothing() -> None:
    every = list(range(256))
    assert shown(every, Look(AS_STORED, Window(128, 256, "linear"), None, inverted=False)) == every
    assert shown(every, Look(AS_STORED, Window(127.5, 255, "linear_exact"), None, inverted=False)) == every


def test_a_window_of_width_1_is_a_threshold() -> None:
    assert shown([9, 10, 11], Look(AS_STORED, Window(10.5, 1, "linear"), None, inverted=False)) == [0, 0, 255]


def test_the_rescale_comes_before_the_window() -> None:
    # -1024 to -976 Hounsfield-like units, windowed to all of the range.
    look = Look(Rescale(2.0, -1024.0), Window(-999.5, 49, "linear"), None, inverted=False)
    assert shown([0, 12, 24, 200], look) == [0, 128, 255, 255]


def test_a_negative_slope_turns_the_film_around() -> None:
    look = Look(Rescale(-1.0, 255.0), Window(128, 256, "linear"), None, inverted=False)
    assert shown([0, 100, 255], look) == [255, 155, 0]


def test_inversion_comes_last() -> None:
    window = Window(128, 256, "linear")
    assert shown([0, 100, 255], Look(AS_STORED, window, None, inverted=True)) == [255, 155, 0]


def test_a_table_maps_what_is_outside_to_its_ends() -> None:
    table = LookUp(first=10, entries=np.array([0.0, 50.0, 100.0, 255.0]), bits=8)
    assert shown([0, 10, 11, 12, 13, 14, 99], Look(AS_STORED, table, None, inverted=False)) == [
        *(0, 0, 50, 100),
        *(255, 255, 255),
    ]


def test_a_table_of_12_bits_is_shown_as_parts_of_4095() -> None:
    table = LookUp(first=-2, entries=np.array([0.0, 1024.0, 2048.0, 4095.0]), bits=12)
    look = Look(AS_STORED, table, None, inverted=False)
    assert shown([-3, -2, -1, 0, 1, 2], look, signed=True) == [0, 0, 64, 128, 255, 255]


def test_a_modality_table_comes_before_the_window() -> None:
    table = LookUp(first=0, entries=np.array([300.0, 100.0, 200.0]), bits=16)
    look = Look(table, Window(200.5, 201, "linear"), None, inverted=False)
    assert shown([0, 1, 2, 3], look) == [255, 0, 128, 128]


def test_without_a_window_the_range_of_the_pixels_is_shown() -> None:
    assert shown([100, 150, 200], Look(AS_STORED, None, None, inverted=False)) == [0, 128, 255]


def test_padding_is_black_and_outside_of_that_range() -> None:
    look = Look(AS_STORED, None, (250, 255), inverted=False)
    assert shown([255, 100, 250, 150, 200], look) == [0, 0, 0, 128, 255]
    assert shown([255, 100, 250, 150, 200], look._replace(inverted=True)) == [0, 255, 0, 128, 0]


def test_a_film_of_one_value_or_of_padding_alone_is_black() -> None:
    assert shown([7, 7], Look(AS_STORED, None, None, inverted=False)) == [0, 0]
    assert shown([7, 7], Look(AS_STORED, None, (7, 7), inverted=True)) == [0, 0]


@given(slope=finite, intercept=finite, centre=finite, width=st.floats(1e-300, 1e300))
@pytest.mark.parametrize("shape", ["linear", "linear_exact", "sigmoid"])
def test_absurd_numbers_give_a_film_all_the_same(
    shape: WindowShape, slope: float, intercept: float, centre: float, width: float
) -> None:
    for voi in (Window(centre, width, shape), LookUp(-5, np.array([0.0, 9.0]), 4), None):
        assert len(shown([0, 7, 255], Look(Rescale(slope, intercept), voi, None, inverted=True))) == 3


@given(bits=st.integers(1, 16), signed=st.booleans(), centre=centres, width=st.floats(1, 100_000))
def test_order_is_kept_over_all_stored_values(bits: int, signed: bool, centre: float, width: float) -> None:
    low = -(1 << bits - 1) if signed else 0
    stored = np.arange(low, low + (1 << bits)).astype(np.int16 if signed else np.uint16)
    gray = to_gray(
        stored[np.newaxis], bits, signed, Look(AS_STORED, Window(centre, width, "linear"), None, inverted=False)
    )
    assert all(before <= after for before, after in pairwise(gray[0].tolist()))
