"""Which checkpoints are kept: the last ones, the best one, and one every so many epochs. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from trainer.checkpoint.manifest import Mark


@dataclass(frozen=True)
class Kept:
    """A committed checkpoint, as far as it matters here. ``batch`` of ``epoch`` is the next one."""

    mark: Mark
    epoch: int
    batch: int


def kept(found: Iterable[Kept], best: Mark | None, *, last: int, every_epochs: int) -> set[Mark]:
    """Which of the checkpoints stay.

    Args:
        found: all that are committed, in any order.
        best: the one that validated best, if one has.
        last: how many of the newest stay; 1 or more.
        every_epochs: the end of each so many epochs stays too; 0: none for that reason.
    """
    course = _course(found)
    ends = (each for each in course if every_epochs and each.epoch and not each.batch)
    return {
        *(each.mark for each in course[:last]),
        *(each.mark for each in ends if each.epoch % every_epochs == 0),
        *([best] if best else []),
    }


def _course(found: Iterable[Kept]) -> list[Kept]:
    """The run's own course, the newest first.

    What an older attempt wrote at or beyond a step from which a newer one has gone on another way is undone.
    """
    course: list[Kept] = []
    for each in sorted(found, key=lambda one: one.mark, reverse=True):
        if not course or each.mark.step < course[-1].mark.step:
            course.append(each)
    return course
