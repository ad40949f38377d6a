"""The scores of a run, as a table for people and as JSON for programs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from trainer.labels import NO_FINDING
from trainer.metrics.bootstrap import ClassScore, Scores
from trainer.metrics.estimate import Estimate
from trainer.metrics.paired import Differences


def score_table(scores: Scores, classes: Sequence[str], *, title: str = "") -> Table:
    """One row a finding, then their mean, then No Finding apart, because it is not a finding.

    Args:
        scores: what ``bootstrap`` gave.
        classes: names of the columns it scored, in their order.
        title: above the table, e.g. the split and the checkpoint.
    """
    table = Table(title=title or None, caption=_caption(scores), caption_justify="left")
    table.add_column("class", no_wrap=True)
    for heading in ("with / known", "AUROC", f"{scores.confidence:.0%} interval", "avg. prec."):
        table.add_column(heading, justify="right", no_wrap=True)
    add_rows(table, [_row(*each) for each in zip(classes, scores.classes, strict=True)], _mean_row(scores, classes))
    return table


def add_rows(table: Table, rows: Sequence[tuple[str, ...]], mean: tuple[str, ...]) -> None:
    """The findings, their mean, then No Finding apart: rows whose first cell is the class."""
    for row in rows:
        if row[0] != NO_FINDING:
            table.add_row(*row)
    table.add_section()
    table.add_row(*mean)
    for row in rows:
        if row[0] == NO_FINDING:
            table.add_section()
            table.add_row(*row)


def scores_json(scores: Scores, classes: Sequence[str]) -> dict[str, Any]:
    """The scores as plain values for JSON: classes by name, NaN (not defined) as None."""
    return by_name(scores, classes)


def by_name(found: Scores | Differences, classes: Sequence[str]) -> dict[str, Any]:
    """Plain values for JSON, each class under its name."""
    named = asdict(found)
    named["classes"] = dict(zip(classes, named["classes"], strict=True))
    for each in ("mean_over", "left_out"):
        named[each] = [classes[number] for number in named[each]]
    values: dict[str, Any] = plain(named)
    return values


def mean_name(found: Scores | Differences, classes: Sequence[str]) -> str:
    """Of the mean's row: how many findings it is over, and which it is without."""
    without = "".join(f"\nwithout {classes[each]}" for each in found.left_out)
    return f"mean over {len(found.mean_over)} findings{without}"


def scores_from_json(found: Mapping[str, Any], classes: Sequence[str]) -> Scores:
    """What ``scores_json`` gave, for those classes in their order; other keys are passed over.

    Raises KeyError for a class that is missing, TypeError or ValueError for what is no score.
    """
    columns = {name: number for number, name in enumerate(classes)}
    return Scores(
        classes=tuple(_class_score(found["classes"][name]) for name in classes),
        mean_auroc=_estimate(found["mean_auroc"]),
        mean_over=tuple(columns[name] for name in found["mean_over"]),
        left_out=tuple(columns[name] for name in found["left_out"]),
        **{name: kind(found[name]) for name, kind in _NUMBERS.items()},
    )


def interval(estimate: Estimate, form: str = ".3f") -> str:
    """Both bounds, each in that form; a dash without resamples."""
    return "-" if math.isnan(estimate.low) else f"{estimate.low:{form}} to {estimate.high:{form}}"


def plain(value: Any) -> Any:
    """Nested values for JSON: tuples as lists, a number that is not finite (not defined) as None."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_NUMBERS: Mapping[str, Callable[[Any], Any]] = {
    "films": int,
    "patients": int,
    "resamples": int,
    "confidence": float,
    "seed": int,
    "at_specificity": float,
    "at_sensitivity": float,
}


def _class_score(found: Mapping[str, Any]) -> ClassScore:
    return ClassScore(
        positives=int(found["positives"]),
        known=int(found["known"]),
        auroc=_estimate(found["auroc"]),
        average_precision=_estimate(found["average_precision"]),
        sensitivity=_estimate(found["sensitivity"]),
        specificity=_estimate(found["specificity"]),
    )


def _estimate(found: Mapping[str, Any]) -> Estimate:
    value, low, high = (math.nan if found[name] is None else float(found[name]) for name in ("value", "low", "high"))
    return Estimate(value, low, high, int(found["resamples"]))


def _row(name: str, score: ClassScore) -> tuple[str, str, str, str, str]:
    films = f"{score.positives} / {score.known}"
    if math.isnan(score.auroc.value):
        return name, films, "no negatives" if score.positives else "no positives", "", ""
    return name, films, f"{score.auroc.value:.3f}", interval(score.auroc), f"{score.average_precision.value:.3f}"


def _mean_row(scores: Scores, classes: Sequence[str]) -> tuple[str, str, str, str, str]:
    value = f"{scores.mean_auroc.value:.3f}" if scores.mean_over else "-"
    return mean_name(scores, classes), "", value, interval(scores.mean_auroc), ""


def _caption(scores: Scores) -> str:
    films = f"{scores.films} films of {scores.patients} patients"
    return f"{films}; intervals from {scores.resamples} resamples of patients" if scores.resamples else films
