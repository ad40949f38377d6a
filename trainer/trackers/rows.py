"""What a row of the history is called where it is tracked. Pure."""

import math
from collections.abc import Mapping, Sequence

from trainer.checkpoint.history import Row

TOLD_BY: Mapping[str, str] = {"step": "train/epoch", "epoch": "train/epochs_done"}
"""The value that every row of a kind has: the last one that a tracker holds says how far it has been told."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "step": {
        "epoch": TOLD_BY["step"],
        "loss": "train/loss",
        "learning_rate": "train/learning_rate",
        "gradient_norm": "train/gradient_norm",
        "films_per_second": "train/films_per_second",
    },
    "epoch": {
        "epoch": TOLD_BY["epoch"],
        "loss": "train/epoch_loss",
        "validation_loss": "validation/loss",
        "validation_auroc": "validation/auroc_mean",
    },
}


def values(row: Row) -> dict[str, float]:
    """By name, those that are numbers: a score that is not defined is left out."""
    found = {name: row.get(key) for key, name in _NAMES[row["kind"]].items()}
    found |= {f"validation/auroc/{name}": value for name, value in row.get("validation_aurocs", {}).items()}
    return {name: float(value) for name, value in found.items() if value is not None and math.isfinite(value)}


def untold(rows: Sequence[Row], told: Mapping[str, int]) -> list[Row]:
    """Those that come after the last steps that were told, by kind."""
    return [row for row in rows if row["step"] > told.get(row["kind"], -1)]
