"""The verb that writes the report of a run."""

import os
import sys

import typer

from trainer import settings
from trainer.console import Debug, File, LogFormat, Set, console, errors_in_one_line, say, start_logs
from trainer.topology import from_environment

_MEBIBYTE = 2**20


def add_report_verb(app: typer.Typer) -> None:
    """Makes it a verb of ``cxr-train``."""
    app.command()(report)


def report(config: File = None, set_: Set = None, debug: Debug = False, log_format: LogFormat = "text") -> None:
    """Writes one HTML page of a run that was scored: scores, curves, thresholds, its worst films, how it came about."""
    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        from trainer import runtime
        from trainer.reporting import report as run
        from trainer.telemetry.logs import Progress

        runtime.start(tree, from_environment(os.environ), precision="float32")
        if sys.stderr.isatty():
            with Progress("looking", total=None, unit="films", console=console()) as bar:
                written = run(tree, bar.reach)
        else:
            written = run(tree)
        say(
            f"wrote {written.where}: {written.bytes / _MEBIBYTE:.1f} MiB, {written.films} films with what was looked at"
        )
