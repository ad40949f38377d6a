"""How many films of a set, or of a shard, belong to each group of sex, age and view."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from trainer.config import TRAITS
from trainer.demographics import GROUPS, Demographics

UNKNOWN = "unknown"

Counts = dict[str, Annotated[int, Field(ge=0)]]


class PeopleCounts(BaseModel):
    """Films by group, every group named, then the unknown; ``unread``: those that were told, but made no sense."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sex: Counts
    age: Counts
    view: Counts
    unread: Counts


def count_people(people: Iterable[Demographics]) -> PeopleCounts:
    """Of films."""
    groups, unread = {trait: Counter[str]() for trait in TRAITS}, Counter[str]()
    for person in people:
        unread.update(person.unread)
        for trait in TRAITS:
            groups[trait][person.group(trait) or UNKNOWN] += 1
    return _in_order({trait: dict(counted) for trait, counted in groups.items()} | {"unread": dict(unread)})


def sum_people(parts: Iterable[PeopleCounts]) -> PeopleCounts:
    """Of all parts together."""
    sums = {name: Counter[str]() for name in PeopleCounts.model_fields}
    for part in parts:
        for name, counted in sums.items():
            counted.update(getattr(part, name))
    return _in_order({name: dict(counted) for name, counted in sums.items()})


def _in_order(counts: dict[str, Counts]) -> PeopleCounts:
    """Every group, in the order of ``GROUPS``: equal counts are equal bytes."""
    named = {trait: {name: counts[trait].get(name, 0) for name in (*GROUPS[trait], UNKNOWN)} for trait in TRAITS}
    return PeopleCounts(**named, unread={trait: counts["unread"].get(trait, 0) for trait in TRAITS})
