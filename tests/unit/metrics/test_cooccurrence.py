"""Pairs of classes are counted over the films where both are known."""

import warnings

import numpy as np
import pytest
from hypothesis import given

from tests.unit.metrics.films import some_films
from trainer.metrics.cooccurrence import cooccurrence


@given(some_films(classes=3))
def test_counts_equal_counting_film_by_film(films):
    found = cooccurrence(films.labels)
    for row in range(3):
        for column in range(3):
            pairs = [(film[row], film[column]) for film in films.labels if not np.isnan(film[[row, column]]).any()]
            assert found.known[row, column] == len(pairs)
            assert found.with_row[row, column] == sum(a == 1 for a, _ in pairs)
            assert found.with_both[row, column] == sum(a == b == 1 for a, b in pairs)


def test_parts_and_lifts_are_those_of_the_counts():
    labels = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cooccurrence(labels)
        part, lift = found.given_row(), found.lift()
    assert part[:2, :2] == pytest.approx(np.array([[1, 2 / 3], [2 / 3, 1]]))
    assert lift[0, 1] == lift[1, 0] == pytest.approx((2 / 6) / (3 / 6 * 3 / 6))
    assert np.isnan(part[2]).all()
    assert part[0, 2] == 0.0
    assert np.isnan(lift[2]).all()
