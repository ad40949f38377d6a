"""Writes every dashboard to the folder given, or to helm/dashboards."""

import sys
from pathlib import Path

from helm.generate.dashboards.fleet import fleet
from helm.generate.dashboards.panels import as_json
from helm.generate.dashboards.training import training

CHECKED_IN = Path(__file__).parents[2] / "dashboards"


def write(folder: Path) -> None:
    """One file a dashboard, the same bytes each time."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, dashboard in (("training", training()), ("fleet", fleet())):
        (folder / f"{name}.json").write_text(as_json(dashboard))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else CHECKED_IN)
