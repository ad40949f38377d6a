"""The course of a run as JSON lines in its folder: a row every so many steps, and one an epoch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]

FILE = "history.jsonl"


class History:
    """Appends rows; rank 0 keeps it. Rows that a resume undid are dropped when it is opened.

    An epoch may have been closed after the checkpoint of its last step: its row counts only from the next epoch on.
    """

    def __init__(self, directory: Path, *, resumed_step: int, resumed_epoch: int) -> None:
        self._file = directory / FILE
        kept = [
            row
            for row in read(directory)
            if row["step"] <= resumed_step and (row["kind"] == "step" or row["epoch"] <= resumed_epoch)
        ]
        self._file.write_text("".join(map(_line, kept)), encoding="utf-8")

    def add(self, row: Row) -> None:
        """Appends a row; it holds at least ``kind`` (step or epoch), ``step`` and ``epoch``."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(_line(row))


def read(directory: Path) -> Sequence[Row]:
    """All whole rows, in order; none if there is no history. A row cut short by a kill is left out."""
    file = directory / FILE
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True) + "\n"
