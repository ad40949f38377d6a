"""The differences of two runs, as a table for people and as JSON for programs."""

import math
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from trainer.metrics.paired import Difference, Differences
from trainer.report.table import add_rows, by_name, interval, mean_name


def difference_table(found: Differences, classes: Sequence[str], *, title: str = "") -> Table:
    """One row a finding, then their mean, then No Finding apart, because it is not a finding.

    Args:
        found: what ``paired`` gave.
        classes: names of the columns, in their order.
        title: above the table, e.g. the split.
    """
    table = Table(title=title or None, caption=_caption(found), caption_justify="left")
    table.add_column("class", no_wrap=True)
    for heading in ("with / known", "AUROC A", "AUROC B", "B - A", f"{found.confidence:.0%} interval", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = [
        (name, f"{each.positives} / {each.known}", *_cells(each))
        for name, each in zip(classes, found.classes, strict=True)
    ]
    add_rows(table, rows, (mean_name(found, classes), "", *_cells(found.mean)))
    return table


def differences_json(found: Differences, classes: Sequence[str]) -> dict[str, Any]:
    """The differences as plain values for JSON: classes by name, NaN (not defined) as None."""
    return by_name(found, classes)


def _cells(each: Difference) -> tuple[str, str, str, str, str]:
    if math.isnan(each.difference.value):
        return "not defined", "", "", "", ""
    p = "-" if math.isnan(each.p) else f"{each.p:.3f}"
    return f"{each.a:.3f}", f"{each.b:.3f}", f"{each.difference.value:+.3f}", interval(each.difference, "+.3f"), p


def _caption(found: Differences) -> str:
    films = f"{found.films} films of {found.patients} patients"
    if not found.resamples:
        return films
    return (
        f"{films}; intervals and two-sided p from {found.resamples} resamples of patients, each taken for both runs; "
        "p is not corrected for the number of classes"
    )
