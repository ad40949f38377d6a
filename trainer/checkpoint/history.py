"""The course of a run as JSON lines: a row every so many steps, and one an epoch; written with each checkpoint."""

import json
from collections.abc import Sequence
from typing import Any

from trainer.data.store.store import NotThere, Store

Row = dict[str, Any]

FILE = "history.jsonl"


class History:
    """The rows of a run, kept by rank 0 in memory: an object of a store cannot be appended to.

    Nothing is lost by it: rows that no checkpoint has come after are undone by the resume that follows a kill.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)
        """So far, in order; only ever added to, so that another thread may read on in it."""
        self._lines = list(map(_line, rows))

    @classmethod
    def resumed(cls, store: Store, *, step: int, epoch: int) -> "History":
        """The rows of a run that goes on from there, without those that are undone.

        An epoch may have been closed after the checkpoint of its last step: its row counts only from the next epoch on.
        """
        return cls(
            [row for row in read(store) if row["step"] <= step and (row["kind"] == "step" or row["epoch"] <= epoch)]
        )

    def add(self, row: Row) -> None:
        """Appends a row; it holds at least ``kind`` (step or epoch), ``step`` and ``epoch``."""
        self._lines.append(_line(row))
        self.rows.append(row)

    def content(self) -> bytes:
        """The whole of it so far."""
        return "".join(self._lines).encode()


def read(store: Store) -> Sequence[Row]:
    """All rows of a run, in order; none if it has no history."""
    try:
        lines = store.read(FILE).decode().splitlines()
    except NotThere:
        return []
    return [json.loads(line) for line in lines]


def _line(row: Row) -> str:
    return json.dumps(row, sort_keys=True) + "\n"
