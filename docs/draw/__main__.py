"""Draws a job's dashboard from the queries in the dashboard's own file to the Prometheus that scraped the job.

::

    python -m docs.draw --prometheus http://127.0.0.1:9090 --namespace films --release cxr-train docs/dashboard.png
"""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Affine2D

from docs.draw.panels import Span, draw
from docs.draw.prometheus import Prometheus
from helm.generate.dashboards.filled import filled
from trainer.telemetry.catalog import STEPS

_DASHBOARD = Path(__file__).parents[2] / "helm" / "dashboards" / "training.json"
_COLUMNS, _WIDTH, _ROW_HEIGHT = 24, 16.0, 0.36
_INK = "#24292f"
_HEAD, _FOOT = 0.6, 0.55

# In inches, from the panel's edge to its axes: above, right, below, beside.
_CHART_MARGINS = (0.42, 0.25, 0.6, 0.9)
_MARGINS = {"row": (0.0, 0.1, 0.0, 0.15), "stat": (0.4, 0.12, 0.15, 0.12), "table": (0.4, 0.15, 0.15, 0.15)}


def main() -> None:
    """From the command line to the picture."""
    given = _arguments()
    source = Prometheus(given.prometheus)
    labels, span = _job(source, given)
    interval = f"{max(4 * given.scrape_seconds, span.step + given.scrape_seconds):.0f}s"
    variables = {"namespace": labels["namespace"], "release": labels["release"], "job": labels["job_name"]}
    foot = (
        f"Job {labels['namespace']}/{labels['job_name']}, {given.where}, "
        f"{datetime.fromtimestamp(span.end, UTC):%d %B %Y} (UTC).\nDrawn by docs/draw from the queries in "
        f"helm/dashboards/{_DASHBOARD.name}, asked of the Prometheus that scraped it. This is not Grafana."
    )
    head = "   ".join(f"{name}: {value}" for name, value in variables.items())
    page = _page(filled(_DASHBOARD, variables, interval), source, span, head, foot)
    page.savefig(given.picture, metadata={"Software": None})


def _job(source: Prometheus, given: argparse.Namespace) -> tuple[dict[str, str], Span]:
    """The newest job of the release: its labels, and from its first to its last scraped value (or a part of it)."""
    release = f'namespace="{given.namespace}", release="{given.release}"'
    now = time.time()
    newest = max(source.at(_extreme("max", release, given.within), now), key=lambda each: each.values[0])
    job = f'{release}, job_name="{newest.labels["job_name"]}"'
    start = min(each.values[0] for each in source.at(_extreme("min", job, given.within), now))
    last = newest.values[0]
    end = start + given.part * (last - start)
    return newest.labels, Span(start, end, max((end - start) / 240, 1.0))


def _extreme(which: str, selector: str, within: str) -> str:
    """The first or last time at which a job was scraped."""
    return f"{which}_over_time(timestamp({STEPS.name}{{{selector}}})[{within}:5s])"


def _page(panels: list[dict[str, Any]], source: Prometheus, span: Span, head: str, foot: str) -> Figure:
    rows = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels)
    height = rows * _ROW_HEIGHT + _HEAD + _FOOT
    figure = Figure(figsize=(_WIDTH, height), dpi=100, facecolor="#eef1f4")
    title = json.loads(_DASHBOARD.read_text())["title"]
    figure.text(0.0125, 1 - 0.3 / height, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    figure.text(0.2, 1 - 0.31 / height, head, fontsize=10.5, color="#57606a", va="center")
    for panel in panels:
        left, bottom, width, tall = _cell(panel["gridPos"], height)
        if panel["type"] != "row":
            figure.add_artist(_card(left, bottom, width, tall))
            top = (bottom + tall - 0.24) / height
            figure.text((left + 0.17) / _WIDTH, top, panel["title"], fontsize=9.5, fontweight="bold", color=_INK)
        above, right, below, beside = _MARGINS.get(panel["type"], _CHART_MARGINS)
        inner = (left + beside, bottom + below, width - beside - right, tall - above - below)
        parts = [each / whole for each, whole in zip(inner, (_WIDTH, height) * 2, strict=True)]
        draw(panel, figure.add_axes((parts[0], parts[1], parts[2], parts[3])), source, span)
    figure.text(0.0125, 0.26 / height, foot, fontsize=9, color="#57606a", va="center")
    return figure


def _cell(grid: dict[str, int], height: float) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a panel, in inches."""
    unit, edge = (_WIDTH - 0.2) / _COLUMNS, 0.1
    bottom = height - _HEAD - (grid["y"] + grid["h"]) * _ROW_HEIGHT
    return edge + grid["x"] * unit, bottom, grid["w"] * unit, grid["h"] * _ROW_HEIGHT


def _card(left: float, bottom: float, width: float, height: float) -> FancyBboxPatch:
    gap, inches = 0.05, Affine2D().scale(100.0)
    corner, size = (left + gap, bottom + gap), (width - 2 * gap, height - 2 * gap)
    look = "round,pad=0,rounding_size=0.04"
    return FancyBboxPatch(
        corner, *size, boxstyle=look, facecolor="white", edgecolor="#d0d7de", transform=inches, zorder=-1
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docs.draw", description="Draws a job's dashboard.")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--prometheus", required=True, help="its address")
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--release", required=True)
    parser.add_argument("--where", default="on a cluster", help="said under the picture")
    parser.add_argument("--within", default="3h", help="how far back to look for the job")
    parser.add_argument("--part", type=float, default=1.0, help="of the job's life to show, from its beginning")
    parser.add_argument("--scrape-seconds", type=float, default=15.0, help="between two scrapes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
