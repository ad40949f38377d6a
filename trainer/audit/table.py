"""The table of an audit: a row an epoch."""

from rich.box import SIMPLE_HEAD
from rich.table import Table

from trainer.audit.examine import Report
from trainer.audit.tally import EpochCount

_HEADER = ("epoch", "batches", "seen once", "missing", "twice", "padding", "undone", "attempts", "ranks")


def epoch_table(report: Report) -> Table:
    """One row an epoch that has a committed step."""
    reached = report.standing
    caption = f"up to the newest checkpoint, step {reached.step}; undone: steps that a resume took back"
    table = Table(box=SIMPLE_HEAD, caption=caption, caption_justify="left")
    for heading in _HEADER:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for each in report.epochs:
        style = "red" if each.verdict in ("WRONG", "not on record") else None
        table.add_row(*_cells(each), each.verdict, style=style)
    return table


def _cells(count: EpochCount) -> tuple[str, ...]:
    return (
        f"{count.epoch + 1}",
        f"{count.batches_done}/{count.batches}",
        f"{count.once}/{count.films}",
        f"{len(count.missing)}" if count.is_finished else "",
        f"{len(count.twice)}",
        f"{count.padding}",
        f"{count.undone}",
        ", ".join(map(str, count.attempts)),
        ", ".join(map(str, count.world_sizes)),
    )
