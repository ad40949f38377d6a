"""The verbs that make and look at sets of films; they need no ranks."""

from pathlib import Path
from typing import Annotated

import typer

from trainer import settings
from trainer.console import Debug, File, LogFormat, Set, console, errors_in_one_line, say, start_logs


def add_film_verbs(app: typer.Typer) -> None:
    """Makes them verbs of ``cxr-train``."""
    app.command()(phantom)
    app.command()(prepare)


def phantom(
    directory: Annotated[Path, typer.Argument(help="folder that gets the films and their table")],
    config: File = None,
    set_: Set = None,
    debug: Debug = False,
) -> None:
    """Draws phantom films with known signs, to try everything without a patient's film."""
    from trainer.data.source.phantom import write_phantoms
    from trainer.telemetry.logs import Progress

    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        with Progress("drawing", total=tree.phantom.films, unit="films", console=console()) as bar:
            write_phantoms(tree.phantom, directory, bar.advance)


def prepare(config: File = None, set_: Set = None, debug: Debug = False, log_format: LogFormat = "text") -> None:
    """Turns films and a catalog into shards; goes on where a killed run ended."""
    from trainer.data.prepare.run import prepare as run
    from trainer.labels import label_set
    from trainer.telemetry.logs import Progress

    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        with Progress("preparing", total=None, unit="films", console=console()) as bar:
            result = run(tree.prepare, tree.store, label_set(tree.data.labels), bar.reach)
        say(result.summary())
