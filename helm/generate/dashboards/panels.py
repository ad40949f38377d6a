"""The panels of both dashboards, each with one look: a title, a reader's description, a unit, and its queries."""

import json
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from helm.generate.dashboards.queries import JOB

Panel = Builder[models.Panel]

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")

HEIGHT, STAT_HEIGHT = 8, 4
GREEN, ORANGE, RED = "green", "orange", "red"

# Okabe and Ito's palette, told apart by colour-blind readers; a step's phases look alike on every panel.
PHASE_COLOURS = {"compute": "#0072B2", "allreduce wait": "#56B4E9", "input wait": "#D55E00", "rest": "#999999"}


@dataclass(frozen=True)
class Query:
    """An expression and how its series are named, e.g. ``rank {{rank}}``."""

    expression: str
    legend: str = ""


def curves(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    stacked: bool = False,
    steps: bool = False,
    floor: float | None = None,
    ceiling: float | None = None,
    warn_above: float | None = None,
) -> timeseries.Panel:
    """Lines over time; ``stacked`` fills them, ``steps`` keeps a value until the next."""
    panel = (
        timeseries.Panel()
        .line_width(1 if stacked else 2)
        .fill_opacity(70 if stacked else 0)
        .show_points(looks.VisibilityMode.NEVER)
        .legend(common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI).sort(looks.SortOrder.DESCENDING))
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    if steps:
        panel.line_interpolation(looks.LineInterpolation.STEP_AFTER)
    if ceiling is not None:
        panel.max(ceiling)
    if warn_above is not None:
        panel.thresholds(limits((None, GREEN), (warn_above, ORANGE)))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(looks.GraphThresholdsStyleMode.DASHED))
    for name, colour in PHASE_COLOURS.items():
        if any(query.legend == name for query in queries):
            panel.override_by_name(name, [_colour(colour)])
    _finish(panel, title, description, unit, queries, width=width, floor=floor)
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    width: int = 3,
    decimals: int | None = None,
    thresholds: dashboard.ThresholdsConfig | None = None,
) -> stat.Panel:
    """The last value in large, on its recent course."""
    panel = (
        stat.Panel()
        .graph_mode(looks.BigValueGraphMode.AREA if thresholds is None else looks.BigValueGraphMode.NONE)
        .color_mode(looks.BigValueColorMode.NONE if thresholds is None else looks.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .no_value("-")
        .thresholds(thresholds or limits((None, GREEN)))
    )
    if decimals is not None:
        panel.decimals(decimals)
    _finish(panel, title, description, unit, [query], width=width, height=STAT_HEIGHT)
    return panel


def heat(title: str, description: str, unit: str, query: Query, *, width: int = 12) -> heatmap.Panel:
    """A histogram's buckets over time."""
    colours = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32)
    panel = (
        heatmap.Panel()
        .calculate(False)
        .color(colours)
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(looks.HeatmapCellLayout.LE))
    )
    _describe(panel, title, description, unit, width, HEIGHT)
    panel.with_target(_target(query).format(PromQueryFormat.HEATMAP).range())
    return panel


def bars(
    title: str, description: str, unit: str, key: str, columns: dict[str, str], *, width: int = 12
) -> barchart.Panel:
    """The present, a stacked bar for each value of the label ``key``; columns: expression by what the bar's part is."""
    panel = (
        barchart.Panel()
        .x_field(key)
        .orientation(looks.VizOrientation.HORIZONTAL)
        .stacking(looks.StackingMode.NORMAL)
        .show_value(looks.VisibilityMode.AUTO)
        .fill_opacity(80)
        .line_width(0)
        .legend(common.VizLegendOptions().show_legend(True).placement(looks.LegendPlacement.BOTTOM))
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
    )
    _describe(panel, title, description, unit, width, HEIGHT)
    for name in columns:
        panel.override_by_name(name, [_colour(PHASE_COLOURS[name])])
    by_key = {name: f"sum by ({key}) ({expression})" for name, expression in columns.items()}
    _joined(panel, [key], by_key)
    return panel


def rows(
    title: str,
    description: str,
    keys: list[str],
    columns: dict[str, tuple[str, str]],
    *,
    height: int = HEIGHT,
    width: int = 24,
    warn: dict[str, dashboard.ThresholdsConfig] | None = None,
    mappings: dict[str, models.ValueMap] | None = None,
    links: dict[str, str] | None = None,
) -> table.Panel:
    """The present as a table: a row for each set of the labels ``keys``.

    Args:
        title: as on every panel.
        description: as on every panel.
        keys: labels, the first columns.
        columns: by heading, the expression and its unit.
        height: of the panel, in the grid's rows.
        width: of the panel, in the grid's 24 columns.
        warn: colours by heading.
        mappings: words for values, by heading.
        links: where a click leads, by heading.
    """
    panel = table.Panel().show_header(True)
    _describe(panel, title, description, "short", width, height)
    for name, (_, unit) in columns.items():
        looks_of = [models.DynamicConfigValue("unit", unit)]
        if warn and name in warn:
            looks_of += [
                models.DynamicConfigValue("thresholds", warn[name].build()),
                models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ]
        if mappings and name in mappings:
            looks_of.append(models.DynamicConfigValue("mappings", [mappings[name]]))
        panel.override_by_name(name, looks_of)
    for name, url in (links or {}).items():
        panel.override_by_name(name, [models.DynamicConfigValue("links", [{"title": "its dashboard", "url": url}])])
    _joined(panel, keys, {name: expression for name, (expression, _) in columns.items()})
    return panel


def states(
    title: str, description: str, query: Query, mapping: models.ValueMap, *, width: int = 24
) -> statetimeline.Panel:
    """A band for each series, coloured by what its value means."""
    panel = (
        statetimeline.Panel()
        .mappings([mapping])
        .merge_values(True)
        .show_value(looks.VisibilityMode.AUTO)
        .legend(common.VizLegendOptions().show_legend(False))
    )
    _finish(panel, title, description, "none", [query], width=width)
    return panel


def limits(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from a value on; the first one's value is None."""
    made = [models.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(made)


def words(**text_by_value: tuple[str, str]) -> models.ValueMap:
    """Words and colours for values: ``words(_1=("training", GREEN))``."""
    options = {
        value.removeprefix("_"): models.ValueMappingResult(text=text, color=colour)
        for value, (text, colour) in text_by_value.items()
    }
    return models.ValueMap(options=options)


def as_json(built: dashboard.Dashboard) -> str:
    """The text of a dashboard's file; panels are numbered in their order, so that links to one keep."""
    made = built.build()
    for number_, panel in enumerate(made.panels or [], start=1):
        panel.id_val = number_
    return json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _finish(
    panel: Any,
    title: str,
    description: str,
    unit: str,
    queries: list[Query] | tuple[Query, ...],
    *,
    width: int,
    height: int = HEIGHT,
    floor: float | None = None,
) -> None:
    _describe(panel, title, description, unit, width, height)
    if floor is not None:
        panel.min(floor)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(_target(query).ref_id(letter).range())


def _describe(panel: Any, title: str, description: str, unit: str, width: int, height: int) -> None:
    panel.title(title).description(description).unit(unit).datasource(SOURCE).span(width).height(height)


def _target(query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(query.expression).legend_format(query.legend or "__auto").datasource(SOURCE)


def _joined(panel: Any, keys: list[str], columns: dict[str, str]) -> None:
    """Instant queries, one a column, merged to a row for each set of keys; what is no key and no column is dropped."""
    letters = dict(zip("ABCDEFGHIJKLMNOP", columns, strict=False))
    for letter, name in letters.items():
        target = _target(Query(columns[name])).ref_id(letter).format(PromQueryFormat.TABLE).instant()
        panel.with_target(target)
    order = [*keys, *columns]
    renamed = {f"Value #{letter}": name for letter, name in letters.items()}
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    organize: dict[str, object] = {
        "excludeByName": {label: True for label in ("Time", *JOB.split(", ")) if label not in keys},
        "renameByName": renamed,
        "indexByName": {
            **{key: order.index(key) for key in keys},
            **{field: order.index(name) for field, name in renamed.items()},
        },
    }
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organize))


def _colour(value: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": value})
