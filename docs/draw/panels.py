"""Draws a dashboard's panels with matplotlib: each kind from the answers to its own queries."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from docs.draw.prometheus import Prometheus, Series
from docs.draw.units import text

# Okabe and Ito's palette.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
_STATES = {"green": "#1a7f37", "orange": "#bc6c00", "red": "#c62828", "blue": "#0072B2"}
_INK, _FAINT = "#24292f", "#6e7781"
_LEGEND_ENTRIES = 6
_TICKS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)

Panel = dict[str, Any]
Floats = npt.NDArray[np.float64]
Cells = dict[frozenset[tuple[str, str]], float]


@dataclass(frozen=True)
class Span:
    """What is shown: Unix times, and seconds between two points."""

    start: float
    end: float
    step: float


def draw(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    """Fills the axes with the panel."""
    _KINDS[panel["type"]](panel, axes, source, span)


def _row(panel: Panel, axes: Axes, _source: Prometheus, _span: Span) -> None:
    axes.set_axis_off()
    axes.text(0, 0.35, panel["title"], fontsize=12, fontweight="bold", color=_INK, va="center")


def _stat(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    found = source.at(panel["targets"][0]["expr"], span.end)
    defaults = panel["fieldConfig"]["defaults"]
    value = found[0].values[0] if found else float("nan")
    _frame(panel, axes)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.text(
        *(0.5, 0.45, text(value, _unit(panel), defaults.get("decimals"))),
        ha="center",
        va="center",
        fontsize=19,
        transform=axes.transAxes,
        color=_state(defaults, value),
    )


def _timeseries(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    lines = [(name, each) for name, each in _named_ranges(panel, source, span) if each.values]
    _frame(panel, axes)
    if custom.get("stacking", {}).get("mode") == "normal":
        _stack(axes, panel, lines)
    else:
        style = "steps-post" if custom.get("lineInterpolation") == "stepAfter" else "default"
        crowd = len(lines) > _LEGEND_ENTRIES
        for number, (name, each) in enumerate(lines):
            axes.plot(
                _days(each.times),
                each.values,
                drawstyle=style,
                zorder=2 if crowd and number else 3,
                color=_COLOURS[number % len(_COLOURS)],
                linewidth=1 if crowd and number else 1.8,
                alpha=0.55 if crowd and number else 1,
                label=name,
            )
    _threshold(panel, axes)
    _scale(panel, axes)
    _time_axis(axes, span)
    _legend(axes, len(lines))


def _stack(axes: Axes, panel: Panel, lines: list[tuple[str, Series]]) -> None:
    times = sorted({time for _, each in lines for time in each.times})
    heights = [np.interp(times, each.times, each.values) for _, each in lines]
    if heights:
        colours = [_fixed_colour(panel, name) for name, _ in lines]
        axes.stackplot(_days(times), *heights, labels=[name for name, _ in lines], colors=colours, alpha=0.85)


def _heatmap(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    """Grafana takes one bucket's bound from the next, so that each shows what fell between the two."""
    found = [(float(each.labels["le"]), each) for each in source.range(panel["targets"][0]["expr"], *_of(span))]
    found = sorted((bound, each) for bound, each in found if np.isfinite(bound))
    times = sorted({time for _, each in found for time in each.times})
    _frame(panel, axes)
    if len(times) > 1:
        cumulative = np.array([np.interp(times, each.times, each.values, left=0.0) for _, each in found])
        counts = np.diff(cumulative, axis=0, prepend=0.0)
        used = np.flatnonzero(counts.sum(axis=1) > 0)
        low, high = used[0], used[-1] + 1
        shown = np.where(counts[low:high] < 0.05, np.nan, counts[low:high])
        axes.pcolormesh(_days(times), np.arange(high - low), shown, cmap="Blues", norm=LogNorm(), shading="nearest")
        bounds = [text(bound, "s") for bound, _ in found[low:high]]
        axes.set_yticks(np.arange(high - low), [f"≤ {each}" for each in bounds])
    _time_axis(axes, span)


def _barchart(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    key, columns = panel["options"]["xField"], _columns(panel, source, span)
    values = sorted({labels for cells in columns.values() for labels in (dict(each)[key] for each in cells)})
    left = np.zeros(len(values))
    for name, cells in columns.items():
        by_value = {dict(labels)[key]: value for labels, value in cells.items()}
        widths = np.nan_to_num([by_value.get(each, 0.0) for each in values])
        axes.barh(range(len(values)), widths, left=left, color=_fixed_colour(panel, name), label=name, height=0.6)
        left += widths
    _frame(panel, axes)
    axes.set_yticks(range(len(values)), [f"{key} {each}" for each in values])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value, _unit(panel))))
    _legend(axes, len(columns))


def _table(panel: Panel, axes: Axes, source: Prometheus, span: Span) -> None:
    columns = _columns(panel, source, span)
    order = next(each for each in panel["transformations"] if each["id"] == "organize")["options"]["indexByName"]
    keys = [each for each in order if not each.startswith("Value #")]
    rows = sorted({tuple(dict(labels)[key] for key in keys) for cells in columns.values() for labels in cells})
    lines = []
    for row in rows:
        cells = [_cell(panel, name, found, dict(zip(keys, row, strict=True))) for name, found in columns.items()]
        lines.append([*((each, _INK) for each in row), *cells])
    _frame(panel, axes)
    axes.set_xticks([])
    axes.set_yticks([])
    _write_table(axes, [*keys, *columns], lines)


def _write_table(axes: Axes, heads: list[str], lines: list[list[tuple[str, str]]]) -> None:
    widths = [max(len(head), *(len(line[column][0]) for line in lines), 4) + 2 for column, head in enumerate(heads)]
    starts = np.cumsum([0, *widths]) / sum(widths) * 0.97 + 0.015
    common: dict[str, Any] = {"transform": axes.transAxes, "va": "center", "fontsize": 8}
    for column, head in enumerate(heads):
        axes.text(starts[column], 0.9, head, color=_FAINT, **common)
        for number, line in enumerate(lines):
            said, colour = line[column]
            axes.text(starts[column], 0.76 - 0.13 * number, said, color=colour, **common)


def _cell(panel: Panel, name: str, found: Cells, row: dict[str, str]) -> tuple[str, str]:
    value = next((number for labels, number in found.items() if row.items() <= dict(labels).items()), float("nan"))
    looks: Panel = {each["id"]: each.get("value") for each in _overrides(panel, name)}
    return text(value, looks.get("unit", _unit(panel))), _state(looks, value)


def _columns(panel: Panel, source: Prometheus, span: Span) -> dict[str, Cells]:
    """By heading, the value for each set of labels: Grafana's transformations, as far as these panels use them."""
    organize = next(each for each in panel["transformations"] if each["id"] == "organize")["options"]
    return {
        organize["renameByName"][f"Value #{target['refId']}"]: {
            frozenset(each.labels.items()): each.values[0] for each in source.at(target["expr"], span.end)
        }
        for target in panel["targets"]
    }


def _named_ranges(panel: Panel, source: Prometheus, span: Span) -> Iterator[tuple[str, Series]]:
    for target in panel["targets"]:
        for each in source.range(target["expr"], *_of(span)):
            yield _legend_name(target["legendFormat"], each.labels), each


def _legend_name(form: str, labels: dict[str, str]) -> str:
    for name, value in labels.items():
        form = form.replace("{{" + name + "}}", value)
    return form


def _of(span: Span) -> tuple[float, float, float]:
    return span.start, span.end, span.step


def _frame(panel: Panel, axes: Axes) -> None:
    axes.tick_params(labelsize=8, colors=_FAINT, length=0)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_facecolor("white")
    axes.spines[:].set_visible(False)
    if panel["type"] in ("timeseries", "heatmap"):
        axes.spines.bottom.set(visible=True, color="#d0d7de")


def _legend(axes: Axes, entries: int) -> None:
    handles, names = axes.get_legend_handles_labels()
    if entries > _LEGEND_ENTRIES:
        handles, names = handles[:1], [f"{names[0]}, and {entries - 1} more"]
    if handles:
        axes.legend(
            *(handles, names),
            loc="upper left",
            bbox_to_anchor=(0, -0.11),
            ncols=4,
            fontsize=8,
            frameon=False,
            borderaxespad=0,
            handlelength=1.2,
            columnspacing=1.2,
            labelcolor=_FAINT,
        )


def _scale(panel: Panel, axes: Axes) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    drawn = [np.asarray(each.get_ydata(), dtype=np.float64) for each in axes.get_lines()]
    highest = max((each[np.isfinite(each)].max(initial=0.0) for each in drawn), default=axes.get_ylim()[1])
    if "min" in defaults:
        axes.set_ylim(defaults["min"], highest * 1.08 or 1.0)
    if "max" in defaults:
        axes.set_ylim(top=defaults["max"])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value, _unit(panel))))
    if _unit(panel) == "bytes" and highest > 0:
        axes.yaxis.set_major_locator(MultipleLocator(2.0 ** np.ceil(np.log2(highest / 4))))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=_unit(panel) == "none" and highest >= 2))


def _threshold(panel: Panel, axes: Axes) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    if defaults.get("custom", {}).get("thresholdsStyle", {}).get("mode") == "dashed":
        for each in defaults["thresholds"]["steps"][1:]:
            axes.axhline(each["value"], color=_STATES[each["color"]], linestyle="--", linewidth=1)


def _time_axis(axes: Axes, span: Span) -> None:
    """Whole minutes or hours, so many that their labels do not touch."""
    start, end = _days([span.start, span.end])
    axes.set_xlim(start, end)
    room = max(int(axes.bbox.width / 90), 2)
    apart = next((each for each in _TICKS if (span.end - span.start) / each <= room), _TICKS[-1])
    ticks = np.arange(np.ceil(span.start / apart) * apart, span.end, apart)
    names = [f"{datetime.fromtimestamp(each, UTC):{'%H:%M' if apart >= 60 else '%H:%M:%S'}}" for each in ticks]
    axes.set_xticks(_days(ticks.tolist()), names)


def _days(times: list[float]) -> Floats:
    """Matplotlib's dates: days since 1970, UTC."""
    return np.asarray(times, dtype=np.float64) / 86400.0


def _unit(panel: Panel) -> str:
    unit: str = panel["fieldConfig"]["defaults"]["unit"]
    return unit


def _state(looks: Panel, value: float) -> str:
    """The colour of the last threshold that the value reaches; plain ink where only one is given."""
    steps = (looks.get("thresholds") or {"steps": []})["steps"]
    reached = [each["color"] for each in steps if each["value"] is None or value >= each["value"]]
    return _STATES[reached[-1]] if len(steps) > 1 and reached else _INK


def _overrides(panel: Panel, name: str) -> list[dict[str, Any]]:
    given = panel["fieldConfig"].get("overrides", [])
    return [looks for each in given if each["matcher"]["options"] == name for looks in each["properties"]]


def _fixed_colour(panel: Panel, name: str) -> str:
    colours = [each["value"]["fixedColor"] for each in _overrides(panel, name) if each["id"] == "color"]
    return colours[0] if colours else _INK


_KINDS: dict[str, Callable[[Panel, Axes, Prometheus, Span], None]] = {
    "row": _row,
    "stat": _stat,
    "timeseries": _timeseries,
    "heatmap": _heatmap,
    "barchart": _barchart,
    "table": _table,
}
