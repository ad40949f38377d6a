"""Which steps of which attempts made the newest checkpoint: what a resume undid is not among them. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from trainer.errors import DataError


class Origin(NamedTuple):
    """What an attempt went on from: ``step`` updates done by attempt ``parent`` and those before it; 0, 0: nothing."""

    parent: int
    step: int


class Span(NamedTuple):
    """The steps of an attempt that count: those after ``after``, up to and with ``last``."""

    attempt: int
    after: int
    last: int


def lineage(attempt: int, step: int, origins: Mapping[int, Origin]) -> list[Span]:
    """The spans that lead to ``step`` of ``attempt``, the newest first; together they hold each step once.

    They end early at an attempt that is not among ``origins``, because it left no record.
    Raises DataError where an attempt says that it went on from itself, a later one, or a step still to come.
    """
    spans = []
    while step > 0 and attempt in origins:
        origin = origins[attempt]
        if origin.parent >= attempt or origin.step > step:
            raise DataError(
                "audit",
                f"attempt {attempt}",
                f"went on from step {origin.step} of attempt {origin.parent}, which cannot lead to step {step}",
                "restore the record",
            )
        spans.append(Span(attempt, origin.step, step))
        attempt, step = origin
    return spans
