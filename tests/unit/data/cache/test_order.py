"""What a cache gives up first."""

from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.cache.order import Present, evictable

NAMES = st.sampled_from("abcdefghij")
FILES = st.lists(
    st.builds(Present, NAMES, st.integers(1, 9), st.floats(0, 9)), max_size=10, unique_by=lambda each: each.name
)
PLANS = st.lists(NAMES, unique=True).map(lambda names: {name: place for place, name in enumerate(names)})


@settings(max_examples=200)
@given(FILES, PLANS, PLANS, NAMES)
def test_nothing_goes_that_the_plan_needs_before_what_it_makes_room_for(
    files: list[Present], plan: dict[str, int], later: dict[str, int], wanted: str
) -> None:
    place = plan.get(wanted, len(plan))
    going = evictable(files, plan, later, wanted)
    assert {each.name for each in files} - {each.name for each in going} == {
        each.name for each in files if plan.get(each.name, place + 1) <= place
    }


@settings(max_examples=200)
@given(FILES, PLANS, PLANS, NAMES)
def test_what_no_plan_needs_goes_first_and_then_what_is_needed_last(
    files: list[Present], plan: dict[str, int], later: dict[str, int], wanted: str
) -> None:
    names = [each.name for each in evictable(files, plan, later, wanted)]
    unplanned = [each for each in names if each not in plan and each not in later]
    other = [each for each in names if each not in plan and each in later]
    planned = [each for each in names if each in plan]
    assert names == unplanned + other + planned
    assert planned == sorted(planned, key=plan.__getitem__, reverse=True)
    assert other == sorted(other, key=later.__getitem__, reverse=True)
    used = {each.name: each.used for each in files}
    assert [used[each] for each in unplanned] == sorted(used[each] for each in unplanned)
