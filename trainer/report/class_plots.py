"""Curves of one class: ROC, precision against recall, and reliability."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainer.metrics.calibration import Calibration
from trainer.metrics.operating import OperatingPoints, precision_recall_curve, roc_curve
from trainer.report.drawing import BLUE, GRAY, GREEN, ORANGE, VERMILION, label_axes, new_figure

_SIZE = (4.4, 4.2)
_MOST_POINTS = 300
# The second is small enough for the first to be seen around it where both are one threshold.
_MARKS = (("o", VERMILION, 13), ("s", GREEN, 7))


class Mark(NamedTuple):
    """A threshold's place on a curve: what chose it, and what it reaches on the films drawn."""

    name: str
    sensitivity: float
    specificity: float
    precision: float


def roc_figure(points: OperatingPoints, marks: Sequence[Mark]) -> Figure:
    """Sensitivity over the false alarms, with chance as the diagonal; the class must have positives and negatives."""
    figure, axes = _axes()
    curve = roc_curve(points)
    if curve:
        thin = curve.thinned(_MOST_POINTS)
        axes.plot(thin.x, thin.y, color=BLUE, linewidth=2.5)
    axes.plot([0, 1], [0, 1], color=GRAY, linestyle=":", linewidth=2, label="chance")
    for mark, (shape, colour, size) in zip(marks, _MARKS, strict=False):
        axes.plot(1 - mark.specificity, mark.sensitivity, shape, color=colour, markersize=size, label=mark.name)
    label_axes(axes, "ROC", "1 - specificity", "sensitivity")
    axes.legend(fontsize=12, frameon=False, loc="lower right")
    return figure


def precision_recall_figure(points: OperatingPoints, marks: Sequence[Mark]) -> Figure:
    """Positive predictive value over sensitivity, with the prevalence as a line; the class must have positives."""
    figure, axes = _axes()
    curve = precision_recall_curve(points)
    if curve:
        thin = curve.thinned(_MOST_POINTS)
        axes.plot([0, *thin.x], [thin.y[0], *thin.y], color=BLUE, linewidth=2.5, drawstyle="steps-pre")
    prevalence = points.positives / (points.positives + points.negatives)
    axes.axhline(prevalence, color=GRAY, linestyle=":", linewidth=2, label="prevalence")
    for mark, (shape, colour, size) in zip(marks, _MARKS, strict=False):
        axes.plot(mark.sensitivity, mark.precision, shape, color=colour, markersize=size, label=mark.name)
    label_axes(axes, "Precision and recall", "recall (sensitivity)", "precision")
    axes.legend(fontsize=12, frameon=False, loc="best")
    return figure


def reliability_figure(before: Calibration, after: Calibration | None) -> Figure:
    """How often the finding is there over the score; on the diagonal a score is the chance that it says."""
    figure, axes = _axes()
    axes.plot([0, 1], [0, 1], color=GRAY, linestyle=":", linewidth=2, label="calibrated")
    _reliability(axes, before, BLUE, "o", "-", "as scored")
    if after:
        _reliability(axes, after, ORANGE, "s", "--", "with temperature")
    label_axes(axes, "Calibration", "score", "part with the finding")
    axes.legend(fontsize=12, frameon=False, loc="upper left")
    return figure


def _reliability(axes: Axes, found: Calibration, colour: str, marker: str, line: str, name: str) -> None:
    x = [each.score for each in found.bins]
    y = [each.observed.value for each in found.bins]
    low = [max(0.0, each.observed.value - each.observed.low) for each in found.bins]
    high = [max(0.0, each.observed.high - each.observed.value) for each in found.bins]
    style = {"color": colour, "marker": marker, "linestyle": line, "linewidth": 2, "label": name}
    axes.errorbar(x, y, yerr=(low, high), elinewidth=1, capsize=2, **style)  # type: ignore[arg-type]


def _axes() -> tuple[Figure, Axes]:
    figure = new_figure(*_SIZE)
    axes = figure.subplots()
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    return figure, axes
