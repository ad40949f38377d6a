"""The differences of two runs, as a table for people and as JSON for programs."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from trainer.labels import NO_FINDING
from trainer.metrics.paired import Difference, Differences
from trainer.report.table import interval, plain


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
    rows = dict(zip(classes, found.classes, strict=True))
    for name, each in rows.items():
        if name != NO_FINDING:
            table.add_row(name, f"{each.positives} / {each.known}", *_cells(each))
    table.add_section()
    table.add_row(_mean_name(found, classes), "", *_cells(found.mean))
    if NO_FINDING in rows:
        each = rows[NO_FINDING]
        table.add_section()
        table.add_row(NO_FINDING, f"{each.positives} / {each.known}", *_cells(each))
    return table


def differences_json(found: Differences, classes: Sequence[str]) -> dict[str, Any]:
    """The differences as plain values for JSON: classes by name, NaN (not defined) as None."""
    named = asdict(found)
    named["classes"] = dict(zip(classes, named["classes"], strict=True))
    named["mean_over"] = [classes[each] for each in found.mean_over]
    named["left_out"] = [classes[each] for each in found.left_out]
    result: dict[str, Any] = plain(named)
    return result


def _cells(each: Difference) -> tuple[str, str, str, str, str]:
    if math.isnan(each.difference.value):
        return "not defined", "", "", "", ""
    p = "-" if math.isnan(each.p) else f"{each.p:.3f}"
    return f"{each.a:.3f}", f"{each.b:.3f}", f"{each.difference.value:+.3f}", interval(each.difference, "+.3f"), p


def _mean_name(found: Differences, classes: Sequence[str]) -> str:
    without = "".join(f"\nwithout {classes[each]}" for each in found.left_out)
    return f"mean over {len(found.mean_over)} findings{without}"


def _caption(found: Differences) -> str:
    films = f"{found.films} films of {found.patients} patients"
    if not found.resamples:
        return films
    return (
        f"{films}; intervals and two-sided p from {found.resamples} resamples of patients, each taken for both runs; "
        "p is not corrected for the number of classes"
    )
