"""Runs the benchmarks, prints a table of each, and keeps them as JSON: ``python -m benchmarks.run [NAME...]``."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from benchmarks import (
    bootstrap,
    dicom,
    frozen,
    memory,
    millions,
    peers,
    precision,
    prepare,
    ranks,
    reader,
    startup,
    step,
    store_reading,
    store_training,
    telemetry,
    whole_job,
)
from benchmarks.machine import machine
from benchmarks.result import FOLDER, Result, read

BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        step,
        precision,
        whole_job,
        ranks,
        reader,
        store_reading,
        store_training,
        peers,
        prepare,
        dicom,
        memory,
        frozen,
        millions,
        startup,
        telemetry,
        bootstrap,
    )
}
_QUICK_FOLDER = FOLDER / "quick"
_HEADER = ("measured", "medians of the sides", "result", "target", "met")


def main() -> None:
    """Parses and calls."""
    arguments = _arguments()
    # So that a benchmark that is stopped lets go of its processes, most of which stand still.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = arguments.names or list(BENCHMARKS)
    folder = _QUICK_FOLDER if arguments.quick else FOLDER
    if arguments.markdown:
        print(markdown([read(folder / f"{name}.json") for name in names if (folder / f"{name}.json").exists()]))
        return
    console = Console()
    for name in names:
        console.print(f"{name}: about {BENCHMARKS[name].MINUTES:g} minutes in full", style="dim")
        result = run(name, quick=arguments.quick)
        console.print(table(result))
        console.print(f"{result.write(folder)}, {result.seconds:.0f} s, {result.machine['cpu']}", style="dim")


def run(name: str, *, quick: bool) -> Result:
    """One benchmark; ``quick`` proves only that it runs."""
    module = BENCHMARKS[name]
    before, began = machine(), time.perf_counter()
    findings = module.measure(quick=quick)
    return Result(
        name=name,
        what=(module.__doc__ or "").splitlines()[0],
        command=f".venv/bin/python -m benchmarks.run {name}{' --quick' if quick else ''}",
        machine=before,
        seconds=time.perf_counter() - began,
        findings=[replace(each, target=None) for each in findings] if quick else findings,
    )


def table(result: Result) -> Table:
    """For a terminal."""
    drawn = Table(*_HEADER, title=f"{result.name}: {result.what}", title_justify="left")
    for finding in result.findings:
        *cells, met = finding.cells()
        drawn.add_row(*cells, met, style="red" if finding.met is False else None)
    return drawn


def markdown(results: Sequence[Result]) -> str:
    """For docs/results.md: a table of all, with the command of each, and the machine."""
    lines = [f"| benchmark | {' | '.join(_HEADER)} |", "|---" * (len(_HEADER) + 1) + "|"]
    for result in results:
        lines += [f"| {result.name} | {' | '.join(finding.cells())} |" for finding in result.findings]
    commands = [f"- `{each.command}` ({each.seconds:.0f} s): {each.what}" for each in results]
    return "\n".join([*lines, "", *commands, "", *_machines(results)])


def _machines(results: Sequence[Result]) -> list[str]:
    """A line for each machine or set of versions that is among them, in their order."""
    lines = []
    for each in results:
        versions = ", ".join(f"{name} {number}" for name, number in each.machine["versions"].items())
        lines.append(
            f"Measured on {each.machine['cpu']}, {each.machine['cores']} cores, "
            f"{each.machine['memory_gib']} GiB, with {versions}."
        )
    return list(dict.fromkeys(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a smoke test of each: its numbers mean nothing")
    parser.add_argument("--markdown", action="store_true", help="print what is in the JSON files, measure nothing")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"{unknown[0]} is no benchmark; choose of {', '.join(BENCHMARKS)}")
    return arguments


if __name__ == "__main__":
    main()
