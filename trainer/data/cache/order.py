"""Which shards a cache gives up to make room for another. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Present(NamedTuple):
    """A file of the cache: its bytes, and when it was used last (Unix time)."""

    name: str
    bytes: int
    used: float


def evictable(
    present: Iterable[Present], plan: Mapping[str, int], later: Mapping[str, int], wanted: str
) -> list[Present]:
    """The files that may go, the first to go first.

    First those that no plan of this process names, the longest unused first; then those of its other plans and of the
    plan at hand, what is needed last first, but nothing that the plan at hand needs before ``wanted``.

    Args:
        present: the files that are there.
        plan: files by their place in the order of need.
        later: likewise, of the process's other plans.
        wanted: the file that needs room.
    """
    place = plan.get(wanted, len(plan))

    def rank(each: Present) -> tuple[int, float]:
        if each.name in plan:
            return 2, -plan[each.name]
        if each.name in later:
            return 1, -later[each.name]
        return 0, each.used

    return sorted((each for each in present if plan.get(each.name, place + 1) > place), key=rank)
