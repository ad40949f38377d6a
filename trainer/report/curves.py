"""The course of a run as a picture: loss, and validation AUROC."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from trainer.report.drawing import BLUE, GRAY, SKY, VERMILION, label_axes, new_figure, to_png

Row = Mapping[str, Any]

_VALIDATION: Row = {"color": VERMILION, "marker": "s", "linestyle": "--", "label": "validation"}


def draw_curves(history: Sequence[Row]) -> bytes:
    """A run's history as a PNG of 1200 x 480 pixels; the same history gives the same bytes.

    Left: training loss of steps and epochs, and validation loss, over the steps. Right: mean validation AUROC over
    the epochs, with chance at 0.5.

    Args:
        history: rows with kind (``step`` or ``epoch``), step, epoch and loss; epoch rows also validation_loss and
            validation_auroc. A loss or AUROC that is absent or None is left out.
    """
    figure = new_figure(12, 4.8)
    left, right = figure.subplots(1, 2)
    draw_loss(left, history)
    draw_auroc(right, history)
    return to_png(figure)


def draw_loss(axes: Axes, history: Sequence[Row]) -> None:
    """Training loss of steps and epochs, and validation loss, over the steps; ``history`` as in ``draw_curves``."""
    steps, epochs = _rows(history, "step"), _rows(history, "epoch")
    _line(axes, _points(steps, "step", "loss"), color=SKY, linewidth=1, label="training, step")
    _line(axes, _points(epochs, "step", "loss"), color=BLUE, marker="o", label="training, epoch")
    _line(axes, _points(epochs, "step", "validation_loss"), **_VALIDATION)
    label_axes(axes, "Loss", "step", "loss")


def draw_auroc(axes: Axes, history: Sequence[Row]) -> None:
    """Mean validation AUROC over the epochs, with chance at 0.5; ``history`` as in ``draw_curves``."""
    points = _points(_rows(history, "epoch"), "epoch", "validation_auroc")
    _line(axes, points, **_VALIDATION)
    axes.axhline(0.5, color=GRAY, linestyle=":", linewidth=2, label="chance")
    axes.set_ylim(min([0.45, *points[1]]) - 0.02, 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "Mean AUROC over the findings", "epoch", "AUROC")


def _line(axes: Axes, points: tuple[list[float], list[float]], *, linewidth: float = 2, **style: Any) -> None:
    if points[0]:
        axes.plot(*points, linewidth=linewidth, **style)


def _rows(history: Sequence[Row], kind: str) -> Sequence[Row]:
    return [row for row in history if row["kind"] == kind]


def _points(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    """Both coordinates of the rows that have the value."""
    known = [row for row in rows if row.get(y) is not None]
    return [row[x] for row in known], [row[y] for row in known]
