"""What all verbs share: their options, errors in one line, and the console."""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console

from trainer import ranks as local_ranks
from trainer.errors import CxrError, DataError, PeerLost, SelfTestError, Stopped
from trainer.topology import Topology, from_environment

File = Annotated[Path | None, typer.Option("--config", help="YAML laid over the defaults", show_default=False)]
Set = Annotated[list[str] | None, typer.Option("--set", help="key.path=value laid over the file; repeatable")]
Debug = Annotated[bool, typer.Option("--debug", help="show the traceback of an error")]
LogFormat = Annotated[Literal["text", "json"], typer.Option("--log-format", help="of log lines")]


@contextmanager
def errors_in_one_line(debug: bool) -> Iterator[None]:
    """An error a user can cure is one line and its exit code; ``--debug`` shows the traceback above it."""
    try:
        yield
    except CxrError as error:
        _fail(error, debug)
    except OSError as error:
        cure = "free or mount it, or check its rights"
        _fail(DataError("file", str(error.filename or ""), f"failed: {error.strerror}", cure), debug)


def _fail(error: CxrError, debug: bool) -> NoReturn:
    """To be called while the error is handled."""
    if debug:
        traceback.print_exc()
    topology = from_environment(os.environ)
    rank = f"rank {topology.rank}: " if topology.world_size > 1 else ""
    if _is_mine_to_tell(error, topology):
        sys.stderr.write(f"{rank}{error}\n")
    raise typer.Exit(error.exit_code) from None


def _is_mine_to_tell(error: CxrError, topology: Topology) -> bool:
    """What all ranks raise together, the first one says; that a rank is gone, whoever watches them, by its name."""
    if isinstance(error, PeerLost):
        return local_ranks.WATCHED_VARIABLE not in os.environ
    return topology.is_first or not isinstance(error, SelfTestError | Stopped)


def start_logs(log_format: Literal["text", "json"]) -> None:
    """Log lines go to stderr from now on."""
    from trainer.telemetry import logs

    logs.start(log_format, from_environment(os.environ).rank, sys.stderr)


def say(line: str) -> None:
    """One line on stderr."""
    console().print(line, highlight=False, markup=False, soft_wrap=True)


def console() -> Console:
    """Of stderr."""
    return Console(stderr=True)
