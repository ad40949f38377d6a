"""The verbs that make and look at sets of films; they need no ranks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainer import settings
from trainer.console import Debug, File, LogFormat, Set, console, errors_in_one_line, say, start_logs


def add_film_verbs(app: typer.Typer) -> None:
    """Makes them verbs of ``cxr-train``."""
    app.command()(phantom)
    app.command()(prepare)
    app.command()(inspect)


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


def inspect(
    where: Annotated[str, typer.Argument(help="a prepared set, or the destination above it; folder or s3://...")],
    config: File = None,
    set_: Set = None,
    verify: Annotated[bool, typer.Option("--verify/--no-verify", help="read everything, compare all hashes")] = True,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="PNG that gets random films and their labels")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of the films on the sheet")] = 0,
    debug: Debug = False,
) -> None:
    """Shows what prepared sets hold, and verifies them; exit 3 if a file is damaged."""
    from trainer.data.inspection.sets import find_sets
    from trainer.data.inspection.sheet import contact_sheet
    from trainer.data.inspection.verifying import verify as run
    from trainer.data.store.opening import open_store
    from trainer.durable import write_durably
    from trainer.report.sets import classes_table, facts_table, people_table
    from trainer.telemetry.logs import Progress

    with errors_in_one_line(debug):
        sets = find_sets(open_store(where, settings.load(config, set_ or []).store, "inspect"))
        for table in (facts_table(sets), classes_table(sets), people_table(sets)):
            Console().print(table)
        if sheet:
            write_durably(sheet, contact_sheet(sets, seed))
            say(f"wrote {sheet}")
        if verify:
            with Progress("verifying", total=None, unit="MiB", console=console()) as bar:
                run(sets, lambda done, total: bar.reach(done >> 20, total >> 20))
            say(f"verified {sum(len(each.manifest.shards) for each in sets)} shards: all as their manifests say")
