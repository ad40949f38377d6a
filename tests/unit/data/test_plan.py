"""The plan: every film once an epoch, the same global batches for any number of ranks, in little memory."""

import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.plan import EpochPlan, Slots, chosen_films, random_key, scoring_batch, scoring_needs
from trainer.topology import Topology

Film = tuple[int, int]

SHARDS = st.lists(st.integers(1, 15), min_size=1, max_size=12)
WINDOWS = st.integers(1, 14)
BATCH_AND_RANKS = st.sampled_from(
    [(batch, ranks) for batch in (12, 24) for ranks in (1, 2, 3, 4, 6, 8, 12) if batch % ranks == 0]
)
MANY = settings(max_examples=60)


def plan_of(shards: list[int], batch_size: int, window: int = 3, *, seed: int = 0, epoch: int = 0) -> EpochPlan:
    return EpochPlan(shards, seed=seed, epoch=epoch, global_batch_size=batch_size, window_shards=window)


def global_batch(plan: EpochPlan, batch: int, batch_size: int, ranks: int) -> list[tuple[Film, float]]:
    """What all ranks together bring to a batch, slot by slot: the film and its weight."""
    shares = [plan.slots(batch, Topology(rank, ranks).slots(batch_size)) for rank in range(ranks)]
    return [each for share in shares for each in films_of(share)]


def films_of(slots: Slots) -> list[tuple[Film, float]]:
    films = zip(slots.shard.tolist(), slots.record.tolist(), strict=True)
    return list(zip(films, slots.weight.tolist(), strict=True))


def counted(batches: list[list[tuple[Film, float]]]) -> Counter[Film]:
    return Counter(film for batch in batches for film, weight in batch if weight)


def every_film(shards: list[int]) -> Counter[Film]:
    return Counter((shard, record) for shard, records in enumerate(shards) for record in range(records))


@MANY
@given(SHARDS, BATCH_AND_RANKS, WINDOWS, st.integers(0, 5), st.integers(0, 2**40))
def test_every_film_is_seen_exactly_once_an_epoch(
    shards: list[int], batch_and_ranks: tuple[int, int], window: int, epoch: int, seed: int
) -> None:
    batch_size, ranks = batch_and_ranks
    plan = plan_of(shards, batch_size, window, seed=seed, epoch=epoch)
    batches = [global_batch(plan, batch, batch_size, ranks) for batch in range(plan.batches)]
    assert counted(batches) == every_film(shards)


@pytest.mark.parametrize("films", [24, 240, 241, 263, 23, 1])
@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 6, 8, 12])
def test_every_film_is_seen_once_whether_or_not_the_batch_divides_their_number(films: int, ranks: int) -> None:
    shards = [len(part) for part in np.array_split(np.arange(films), min(films, 7))]
    plan = plan_of(shards, 24)
    assert counted([global_batch(plan, batch, 24, ranks) for batch in range(plan.batches)]) == every_film(shards)


@MANY
@given(SHARDS, BATCH_AND_RANKS, WINDOWS)
def test_a_global_batch_is_the_same_for_any_number_of_ranks(
    shards: list[int], batch_and_ranks: tuple[int, int], window: int
) -> None:
    batch_size, ranks = batch_and_ranks
    for batch in range(plan_of(shards, batch_size, window).batches):
        alone = global_batch(plan_of(shards, batch_size, window), batch, batch_size, 1)
        assert global_batch(plan_of(shards, batch_size, window), batch, batch_size, ranks) == alone


@MANY
@given(SHARDS, BATCH_AND_RANKS, WINDOWS, st.data())
def test_every_film_is_seen_once_when_ranks_change_in_mid_epoch(
    shards: list[int], before: tuple[int, int], window: int, data: st.DataObject
) -> None:
    batch_size, ranks = before
    after = data.draw(st.sampled_from([n for n in (1, 2, 3, 4, 6, 12) if batch_size % n == 0]))
    first = plan_of(shards, batch_size, window)
    stop = data.draw(st.integers(0, first.batches))
    done = [global_batch(first, batch, batch_size, ranks) for batch in range(stop)]
    resumed = plan_of(shards, batch_size, window)
    rest = [global_batch(resumed, batch, batch_size, after) for batch in range(stop, resumed.batches)]
    assert counted(done + rest) == every_film(shards)


@MANY
@given(SHARDS, BATCH_AND_RANKS, WINDOWS)
def test_only_the_last_batch_is_filled_up_with_films_of_the_epoch_that_do_not_count(
    shards: list[int], batch_and_ranks: tuple[int, int], window: int
) -> None:
    batch_size, ranks = batch_and_ranks
    plan = plan_of(shards, batch_size, window)
    *before, last = (global_batch(plan, batch, batch_size, ranks) for batch in range(plan.batches))
    assert all(weight == 1.0 for batch in before for _, weight in batch)
    filled = [film for film, weight in last if weight == 0.0]
    assert len(filled) == plan.batches * batch_size - sum(shards)
    assert set(filled) <= set(every_film(shards))
    assert {weight for _, weight in last} <= {0.0, 1.0}


@MANY
@given(SHARDS, BATCH_AND_RANKS)
def test_what_fills_the_last_batch_is_spread_over_the_ranks(
    shards: list[int], batch_and_ranks: tuple[int, int]
) -> None:
    batch_size, ranks = batch_and_ranks
    plan = plan_of(shards, batch_size)
    filled = [
        np.count_nonzero(plan.slots(plan.batches - 1, Topology(rank, ranks).slots(batch_size)).weight == 0)
        for rank in range(ranks)
    ]
    assert max(filled) - min(filled) <= 1


def test_the_order_is_a_function_of_seed_and_epoch_alone() -> None:
    def order(**kwargs: int) -> list[list[tuple[Film, float]]]:
        plan = plan_of([20] * 6, 12, **kwargs)
        return [global_batch(plan, batch, 12, 1) for batch in range(plan.batches)]

    assert order(seed=3, epoch=4) == order(seed=3, epoch=4)
    assert order(seed=3, epoch=4) != order(seed=3, epoch=5)
    assert order(seed=3, epoch=4) != order(seed=4, epoch=4)


def test_batches_may_be_asked_for_in_any_order() -> None:
    forwards, backwards = plan_of([7, 9, 11], 12), plan_of([7, 9, 11], 12)
    asked = [global_batch(backwards, batch, 12, 3) for batch in reversed(range(backwards.batches))]
    assert asked[::-1] == [global_batch(forwards, batch, 12, 3) for batch in range(forwards.batches)]


def test_films_of_one_window_are_mixed() -> None:
    films = [film for film, _ in global_batch(plan_of([50, 50], 100, window=2), 0, 100, 1)]
    changes = sum(a[0] != b[0] for a, b in pairwise(films))
    assert changes > 20


@pytest.mark.parametrize(("ranks", "window"), [(4, 1), (4, 2), (8, 4), (16, 1)])
def test_a_rank_needs_only_the_shards_its_lanes_run_through(ranks: int, window: int) -> None:
    shards, batch_size = [20] * 64, 16
    plan = plan_of(shards, batch_size, window)
    for rank in range(ranks):
        mine = Topology(rank, ranks).slots(batch_size)
        needed = {shard for batch in range(plan.batches) for shard in plan.slots(batch, mine).shard.tolist()}
        assert len(needed) <= 64 // ranks + 2 * window


@pytest.mark.parametrize("shards", [[1337] * 7480, [143] * 70_000])
@pytest.mark.parametrize(("batch_size", "ranks"), [(256, 1), (2048, 1), (2048, 64)])
def test_a_plan_of_ten_million_films_needs_little_memory(shards: list[int], batch_size: int, ranks: int) -> None:
    mine = range(batch_size // ranks)
    tracemalloc.start()
    try:
        plan = plan_of(shards, batch_size, window=8)
        plan.needs(mine, plan.batches // 2)
        for batch in (0, plan.batches // 2, plan.batches - 1):
            plan.slots(batch, mine)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 2**20


@MANY
@given(SHARDS, st.integers(1, 40))
def test_a_scoring_pass_takes_every_film_once_in_the_sets_order(shards: list[int], batch_size: int) -> None:
    batches = -(-sum(shards) // batch_size)
    passed = [films_of(scoring_batch(shards, batch, batch_size)) for batch in range(batches)]
    assert all(len(batch) == batch_size for batch in passed)
    assert [film for batch in passed for film, weight in batch if weight] == list(every_film(shards))


def test_a_scoring_pass_fills_its_last_batch_with_its_last_film() -> None:
    *_, last = (films_of(scoring_batch([2, 3], batch, 4)) for batch in range(2))
    assert last == [((1, 2), 1.0), ((1, 2), 0.0), ((1, 2), 0.0), ((1, 2), 0.0)]


def test_films_are_found_by_their_place_in_the_set() -> None:
    slots = chosen_films([3, 0, 4], np.array([6, 0, 3, 3]))
    assert slots.places() == ([2, 0, 2, 2], [3, 0, 0, 0])
    assert slots.weight.tolist() == [1, 1, 1, 1]


def test_a_random_key_is_a_function_of_all_it_is_made_from() -> None:
    made_from = [
        (seed, epoch, batch, purpose)
        for seed in (0, 1)
        for epoch in (0, 1)
        for batch in (0, 1, 10)
        for purpose in ("augment", "dropout")
    ]
    keys = [random_key(*each) for each in made_from]
    assert len({key.tobytes() for key in keys}) == len(made_from)
    assert all(key.dtype == np.int32 and key.shape == (2,) for key in keys)
    assert [key.tolist() for key in keys] == [random_key(*each).tolist() for each in made_from]


def used(batches: dict[int, Slots]) -> dict[int, tuple[int, int]]:
    """In which batch a shard is used first, and in which last."""
    found: dict[int, list[int]] = {}
    for batch, slots in batches.items():
        for shard in slots.shard.tolist():
            found.setdefault(shard, []).append(batch)
    return {shard: (min(each), max(each)) for shard, each in found.items()}


@MANY
@given(SHARDS, BATCH_AND_RANKS, WINDOWS, st.data())
def test_a_rank_needs_each_shard_from_its_first_to_its_last_film(
    shards: list[int], batch_and_ranks: tuple[int, int], window: int, data: st.DataObject
) -> None:
    batch_size, ranks = batch_and_ranks
    plan = plan_of(shards, batch_size, window)
    first = data.draw(st.integers(0, plan.batches))
    for rank in range(ranks):
        slots = Topology(rank, ranks).slots(batch_size)
        needs = plan.needs(slots, first)
        expected = used({batch: plan.slots(batch, slots) for batch in range(first, plan.batches)})
        assert {need.shard: (need.first, need.last) for need in needs} == expected
        assert [need.first for need in needs] == sorted(need.first for need in needs)


@MANY
@given(SHARDS, st.integers(1, 40), st.integers(1, 4), st.integers(0, 3))
def test_a_scoring_rank_needs_each_shard_from_its_first_to_its_last_film(
    shards: list[int], batch_size: int, ranks: int, rank: int
) -> None:
    batches = range(rank, -(-sum(shards) // batch_size), ranks)
    expected = used({batch: scoring_batch(shards, batch, batch_size) for batch in batches})
    needs = scoring_needs(shards, batches, batch_size)
    assert {need.shard: (need.first, need.last) for need in needs} == expected


def test_the_next_epochs_plan_is_the_one_that_is_made_for_it() -> None:
    shards = [5, 9, 2, 7]
    here, there = plan_of(shards, 6, epoch=3).next_epoch(), plan_of(shards, 6, epoch=4)
    assert films_of(here.slots(1, range(6))) == films_of(there.slots(1, range(6)))


def test_one_rank_of_ten_million_films_needs_every_shard() -> None:
    plan = EpochPlan([1300] * 7700, seed=0, epoch=0, global_batch_size=512, window_shards=8)
    needs = plan.needs(range(512))
    assert len(needs) == 7700
