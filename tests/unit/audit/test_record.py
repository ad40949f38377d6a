"""A part of a record: what was written is read, and damage is told in one line."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from trainer.audit.record import Facts, Part, Place, part_from_bytes, place_of
from trainer.errors import DataError

FACTS = Facts(
    attempt=2,
    parent=1,
    resumed_step=40,
    rank=1,
    world_size=4,
    first_slot=8,
    global_batch_size=32,
    training_set="a" * 64,
)


def part_of(steps: int, films: int = 8) -> Part:
    places = np.arange(steps * films, dtype=np.int32).reshape(steps, films)
    step = np.arange(41, 41 + steps, dtype=np.int64)
    weight = np.ones_like(places, dtype=np.float32)
    return Part(FACTS, 3, step, step.astype(np.int32) - 41, places // 5, places % 5, weight, places.astype(np.uint32))


def same(a: Part, b: Part) -> bool:
    arrays = ("step", "batch", "shard", "record", "weight", "pixels")
    equal = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)
    return equal and (a.facts, a.epoch) == (b.facts, b.epoch)


@settings(max_examples=30)
@given(drawn.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), st.integers(1, 10**6))
def test_a_part_is_read_as_it_was_written(shape: tuple[int, int], epoch: int) -> None:
    part = part_of(*shape)
    part = Part(FACTS, epoch, part.step, part.batch, part.shard, part.record, part.weight, part.pixels)
    assert same(part_from_bytes(part.to_bytes(), "a"), part)


@given(st.integers(1, 10**7), st.integers(0, 10**7), st.integers(0, 10**5), st.integers(1, 10**6))
def test_a_name_says_where_a_part_stands(attempt: int, epoch: int, rank: int, number: int) -> None:
    place = Place(attempt, epoch, rank, number)
    assert place_of(place.name) == place


@pytest.mark.parametrize("name", ["readme", "attempt-000001/notes.txt", "attempt-1/epoch-1-rank-1-1.npz"])
def test_other_objects_are_no_parts(name: str) -> None:
    assert place_of(name) is None


def test_only_some_steps_of_a_part_may_be_wanted() -> None:
    assert part_of(6).between(42, 44).step.tolist() == [43, 44]


def test_a_part_knows_the_slots_it_fills() -> None:
    assert part_of(1).slots == range(8, 16)


@pytest.mark.parametrize("damage", ["", "cut short", "not an archive", "another version"])
def test_damage_is_told_in_one_line_that_names_the_object(damage: str) -> None:
    whole = part_of(2).to_bytes()
    content = {"": b"", "cut short": whole[:-30], "not an archive": b"{}", "another version": b"PK"}[damage]
    with pytest.raises(DataError, match=r"^audit: 'attempt-1/x\.npz' is damaged [^\n]*$"):
        part_from_bytes(content, "attempt-1/x.npz")


def test_a_part_whose_rows_do_not_fit_together_is_damaged() -> None:
    part = part_of(2)
    uneven = Part(FACTS, 3, part.step, part.batch, part.shard[:, 1:], part.record, part.weight, part.pixels)
    with pytest.raises(DataError, match="rows do not fit together"):
        part_from_bytes(uneven.to_bytes(), "x")
