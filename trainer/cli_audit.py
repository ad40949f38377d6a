"""The verb that proves from a run's record that every film was seen exactly once an epoch."""

import sys
from typing import Annotated

import typer
from rich.console import Console

from trainer import settings
from trainer.console import Debug, File, Set, errors_in_one_line, say

Compare = Annotated[int, typer.Option("--compare", min=0, help="films whose pixels are compared with the set")]

_NOT_PROVEN = 3
_WIDTH = 120


def add_audit_verb(app: typer.Typer) -> None:
    """Makes it a verb of ``cxr-train``."""
    app.command()(audit)


def audit(config: File = None, set_: Set = None, compare: Compare = 32, debug: Debug = False) -> None:
    """Proves that a run trained with data.audit=true saw every film exactly once an epoch; exit 3 if it did not."""
    import numpy as np

    from trainer.audit.examine import audit as run
    from trainer.audit.table import epoch_table

    with errors_in_one_line(debug):
        report = run(settings.load(config, set_ or []), compare=compare, rng=np.random.default_rng())
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(epoch_table(report))
    for line in report.faults:
        say(line)
    if report.faults:
        raise typer.Exit(_NOT_PROVEN)
    say(f"no film was missed or seen twice; the pixels of {report.compared} films are as they are stored")
