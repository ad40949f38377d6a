"""The course of a run as a picture: loss, and validation AUROC."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Row = Mapping[str, Any]

# Okabe and Ito's palette, told apart by colour-blind readers.
_BLUE, _SKY, _VERMILION, _GRAY = "#0072B2", "#56B4E9", "#D55E00", "#666666"
_VALIDATION: Row = {"color": _VERMILION, "marker": "s", "linestyle": "--", "label": "validation"}


def draw_curves(history: Sequence[Row]) -> bytes:
    """A run's history as a PNG of 1200 x 480 pixels; the same history gives the same bytes.

    Left: training loss of steps and epochs, and validation loss, over the steps. Right: mean validation AUROC over
    the epochs, with chance at 0.5.

    Args:
        history: rows with kind (``step`` or ``epoch``), step, epoch and loss; epoch rows also validation_loss and
            validation_auroc. A loss or AUROC that is absent or None is left out.
    """
    figure = Figure(figsize=(12, 4.8), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row for row in history if row["kind"] == "epoch"]
    _draw_loss(left, [row for row in history if row["kind"] == "step"], epochs)
    _draw_auroc(right, epochs)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw_loss(axes: Axes, steps: Sequence[Row], epochs: Sequence[Row]) -> None:
    _line(axes, _points(steps, "step", "loss"), color=_SKY, linewidth=1, label="training, step")
    _line(axes, _points(epochs, "step", "loss"), color=_BLUE, marker="o", label="training, epoch")
    _line(axes, _points(epochs, "step", "validation_loss"), **_VALIDATION)
    _label(axes, "Loss", "step", "loss")


def _draw_auroc(axes: Axes, epochs: Sequence[Row]) -> None:
    points = _points(epochs, "epoch", "validation_auroc")
    _line(axes, points, **_VALIDATION)
    axes.axhline(0.5, color=_GRAY, linestyle=":", linewidth=2, label="chance")
    axes.set_ylim(min([0.45, *points[1]]) - 0.02, 1.0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _label(axes, "Mean AUROC over the findings", "epoch", "AUROC")


def _line(axes: Axes, points: tuple[list[float], list[float]], *, linewidth: float = 2, **style: Any) -> None:
    if points[0]:
        axes.plot(*points, linewidth=linewidth, **style)


def _points(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    """Both coordinates of the rows that have the value."""
    known = [row for row in rows if row.get(y) is not None]
    return [row[x] for row in known], [row[y] for row in known]


def _label(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=15)
    axes.set_xlabel(x, fontsize=13)
    axes.set_ylabel(y, fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.lines:
        axes.legend(fontsize=12, frameon=False)
