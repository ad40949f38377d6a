"""What a run says: log lines as text or JSON, the line of a step, and the progress of a phase."""

import json
import logging
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars

NAME = "cxr_train"
"""Of the logger that all parts of the program log to, or to a child of it."""

LINE_SECONDS = 10.0
"""Between two lines of a phase where there is no terminal to draw a bar on."""


def start(format: Literal["text", "json"], rank: int, stream: TextIO) -> logging.Logger:  # noqa: A002
    """Set up the logger and return it; a second call replaces what the first set up.

    Text: ``14:03:07 message``, local time; ``14:03:07 rank 3: warning: message`` on ranks other than 0, which say
    only warnings and worse.
    JSON: one object a line with time (ISO 8601, UTC), level, rank, message and the record's extra fields.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json(rank) if format == "json" else _Text(rank))
    logger = logging.getLogger(NAME)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    logger.propagate = False
    return logger


def progress_line(
    *,
    epoch: int,
    epochs: int,
    step: int,
    steps: int,
    loss: float | None = None,
    auc: float | None = None,
    films_per_second: float | None = None,
    input_fraction: float | None = None,
    allreduce_fraction: float | None = None,
    eta_seconds: float | None = None,
) -> str:
    """The line of a step: ``epoch 3/10  step 120/877  loss 0.163  auc 0.713  412 films/s  input 1%  eta 12m``.

    Epoch and step count from 1, within the run and the epoch. What is None is left out; so is an AUROC of NaN,
    which is one that cannot be known; a loss of NaN is shown.
    """
    parts = [
        f"epoch {epoch}/{epochs}",
        f"step {step}/{steps}",
        None if loss is None else f"loss {loss:.3f}",
        None if auc is None or math.isnan(auc) else f"auc {auc:.3f}",
        None if films_per_second is None else _rate(films_per_second, "films"),
        None if input_fraction is None else f"input {input_fraction:.0%}",
        None if allreduce_fraction is None else f"allreduce {allreduce_fraction:.0%}",
        None if eta_seconds is None else f"eta {duration(eta_seconds)}",
    ]
    return "  ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Seconds in short: ``45s``, ``12m``, ``1h05m``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes = round(whole / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


class Progress:
    """How far a phase is: a bar on a terminal, elsewhere a plain line now and then, and a line at its end.

    ::

        with Progress("preparing", total=3000, unit="films", console=Console(stderr=True)) as bar:
            bar.advance(64)

    A phase that ends in an exception says nothing at its end: the error speaks.

    Args:
        description: the phase, e.g. ``preparing``.
        total: units in all; None if unknown.
        unit: what is counted, in the plural.
        console: the lines and the bar go to.
        clock: seconds from any origin, never going back.
    """

    def __init__(
        self,
        description: str,
        *,
        total: int | None,
        unit: str,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._description, self._total, self._unit = description, total, unit
        self._console, self._clock = console, clock
        self._done = 0
        # At rich's ten times a second, its thread takes 1 % of a core from the ranks.
        self._bars = Bars(
            *_columns(), console=console, transient=True, disable=not console.is_terminal, refresh_per_second=2
        )
        self._task = self._bars.add_task(description, total=total, state="")

    def __enter__(self) -> Self:
        self._began = self._said = self._clock()
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()
        if kind is None:
            took = duration(self._clock() - self._began)
            self._say(f"{self._description}: {self._done} {self._unit} in {took}, {self._pace()}")

    def advance(self, units: int = 1) -> None:
        """So many units more are done."""
        self.reach(self._done + units, self._total)

    def reach(self, done: int, total: int | None) -> None:
        """So many units are done, of so many."""
        self._done, self._total = done, total
        if self._console.is_terminal:
            self._bars.update(self._task, completed=done, total=total, state=self._state())
        elif self._clock() - self._said >= LINE_SECONDS:
            self._said = self._clock()
            self._say(f"{self._description}: {self._state()}")

    def _state(self) -> str:
        if self._total is None:
            return f"{self._done} {self._unit}, {self._pace()}"
        left = (self._total - self._done) * (self._clock() - self._began) / max(1, self._done)
        return f"{self._done}/{self._total} {self._unit}, {self._pace()}, {duration(left)} left"

    def _pace(self) -> str:
        seconds = self._clock() - self._began
        return _rate(self._done / seconds if seconds > 0 else 0.0, self._unit)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Text(logging.Formatter):
    def __init__(self, rank: int) -> None:
        super().__init__("%(asctime)s %(message)s", datefmt="%H:%M:%S")
        self._rank = f"rank {rank}: " if rank else ""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name is the library's)
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"{record.asctime} {self._rank}{level}{record.message}"


class _Json(logging.Formatter):
    def __init__(self, rank: int) -> None:
        super().__init__()
        self._rank = rank

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": when, "level": record.levelname.lower(), "rank": self._rank, "message": record.getMessage()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        extra = {key: _finite(value) for key, value in vars(record).items() if key not in _RECORD_FIELDS}
        return json.dumps(extra | fields, default=str)


_RECORD_FIELDS = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime"))


def _finite(value: object) -> object:
    # JSON has no NaN: most readers refuse the whole line.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rate(per_second: float, unit: str) -> str:
    return f"{per_second:.0f} {unit}/s" if per_second >= 10 else f"{per_second:.1f} {unit}/s"


def _columns() -> tuple[TextColumn, BarColumn, TextColumn]:
    return TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}")
