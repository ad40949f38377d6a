"""The verb that compares two runs on the same films."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from trainer import settings
from trainer.console import Debug, File, Set, errors_in_one_line, say
from trainer.errors import UsageError

if TYPE_CHECKING:
    from trainer.compare import Comparison

RunA = Annotated[str, typer.Argument(metavar="A", help="directory of a run: a folder or s3://, gs://, az:// address")]
RunB = Annotated[str, typer.Argument(metavar="B", help="of the run that is compared with it")]
Out = Annotated[str, typer.Option("--out", help="the JSON file that is written: a path or an address")]

_WIDTH = 120


def add_compare_verb(app: typer.Typer) -> None:
    """Makes it a verb of ``cxr-train``."""
    app.command()(compare)


def compare(
    a: RunA, b: RunB, config: File = None, set_: Set = None, out: Out = "comparison.json", debug: Debug = False
) -> None:
    """Tells how two runs' AUROC differ on the same films: each class and the mean, with paired intervals and p."""
    from trainer.compare import compare as run
    from trainer.data.store.opening import open_store
    from trainer.report.differences import difference_table

    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        place, name = _place(out)
        store = open_store(place, tree.store, "--out")
        found = run(tree, a, b)
        store.write(name, f"{json.dumps(_plain(found), indent=1)}\n".encode())
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    console.print(difference_table(found.differences, found.classes, title=f"{found.split} set"))
    for side, each in (("A", found.a), ("B", found.b)):
        console.print(f"{side:<16} {each.where}/{each.checkpoint}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"{'differences':<16} {out}", highlight=False, markup=False, soft_wrap=True)
    if found.only_one_has:
        say(f"left out, because only one of the two was scored on them: {', '.join(found.only_one_has)}")


def _place(out: str) -> tuple[str, str]:
    """The folder or prefix of a file, and its name in it."""
    place, slash, name = out.rpartition("/")
    if not name:
        raise UsageError("--out", out, "names no file", "write for example --out comparison.json")
    return place or slash or ".", name


def _plain(found: "Comparison") -> dict[str, object]:
    from trainer.report.differences import differences_json

    return {
        "split": found.split,
        "set": found.digest,
        "a": asdict(found.a),
        "b": asdict(found.b),
        "only_one_has": found.only_one_has,
        **differences_json(found.differences, found.classes),
    }
