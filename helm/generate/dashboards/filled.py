"""A dashboard's file with its variables filled in, as Grafana does it before it asks."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Panel = dict[str, Any]


def filled(file: Path, variables: Mapping[str, str], rate_interval: str = "1m") -> list[Panel]:
    """The panels and rows of a dashboard, in their order; expressions have values for variables.

    Raises KeyError for a variable that has none.
    """
    values = {"__rate_interval": rate_interval, **variables}
    panels: list[Panel] = json.loads(file.read_text())["panels"]
    for _, target in targets(panels):
        target["expr"] = re.sub(r"\$(__\w+|[A-Za-z]\w*)", lambda found: values[found[1]], target["expr"])
    return panels


def targets(panels: list[Panel]) -> Iterator[tuple[Panel, dict[str, Any]]]:
    """Every query with the panel it is of."""
    for panel in panels:
        for target in panel.get("targets", []):
            yield panel, target
