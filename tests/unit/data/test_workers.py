"""Work in processes: in order, a bounded number of items ahead, and no silence when a process is killed."""

import os
from collections.abc import Iterator

import pytest

from trainer.data.prepare.workers import map_in_order
from trainer.errors import CxrError


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_work(processes: int) -> None:
    assert list(map_in_order(abs, range(-40, 0), processes)) == list(range(40, 0, -1))


def test_only_a_few_items_are_taken_ahead_of_the_results() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            taken.append(item)
            yield item

    results = map_in_order(abs, items(), 2)
    assert next(results) == 0
    results.close()
    assert len(taken) < 10


def test_a_killed_process_is_an_error_that_names_the_cure() -> None:
    with pytest.raises(CxrError, match=r"^prepare\.processes: 2 .* killed.*; run again with fewer"):
        list(map_in_order(os._exit, [1], 2))
