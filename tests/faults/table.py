"""Prints the table of faults of docs/results.md: ``python -m tests.faults.table``."""

import sys
import tempfile
import time
from pathlib import Path

from tests.faults.cases import CASES, Case, run
from tests.faults.epoch import FILMS, Outcome


def main() -> None:
    print("| fault | what happened | films lost | films seen twice |\n|---|---|---|---|")  # noqa: T201
    for case in CASES:
        print(_row(case), flush=True)  # noqa: T201


def _row(case: Case) -> str:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = run(case, Path(folder))
        except OSError as error:
            return f"| {case.fault} | not tried: {error} | | |"
    return f"| {case.fault} | {_happened(outcome, time.monotonic() - began)} | {_lost(outcome)} | {outcome.twice} |"


def _happened(outcome: Outcome, seconds: float) -> str:
    if outcome.error:
        return f"stopped, exit {outcome.error.exit_code}: `{outcome.error}`"
    told = ", ".join(f"{name} {outcome.counts[name]:g}" for name in ("corrupt", "failures") if outcome.counts.get(name))
    return f"all {FILMS} films, {seconds:.1f} s" + (f" ({told})" if told else "")


def _lost(outcome: Outcome) -> str:
    return "stopped" if outcome.error else str(outcome.lost)


if __name__ == "__main__":
    sys.exit(main())
