"""What a benchmark found: values of each side, what follows from them, and whether that meets the target."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.pairs import median_ratio

FOLDER = Path(".runs/bench")


@dataclass(frozen=True)
class Finding:
    """A line of the table. ``target`` is the least that ``measured`` may be, or the most if ``at_most``."""

    what: str
    sides: Mapping[str, Sequence[float]]
    """Values by side, one a repetition, in ``unit``."""
    unit: str
    measured: float
    measured_unit: str
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool | None:
        """None without a target."""
        if self.target is None:
            return None
        return self.measured <= self.target if self.at_most else self.measured >= self.target

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, the sides' medians, measured, target, met."""
        sides = "; ".join(f"{name} {_number(median(values))}" for name, values in self.sides.items())
        unit = "" if self.measured_unit == "x" else f" {self.measured_unit}"
        sign = "≤" if self.at_most else "≥"
        target = "" if self.target is None else f"{sign} {self.target:g}{unit}"
        met = {None: "", True: "yes", False: "no"}[self.met]
        return self.what, f"{sides} {self.unit}", f"{_number(self.measured)}{unit}", target, met


@dataclass(frozen=True)
class Result:
    """A benchmark's findings, with what is needed to make them again."""

    name: str
    what: str
    command: str
    machine: Mapping[str, Any]
    seconds: float
    findings: Sequence[Finding] = field(default_factory=tuple)

    def write(self, folder: Path) -> Path:
        """As JSON; to be read by ``read``."""
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}.json"
        tree = asdict(self) | {"findings": [asdict(each) | {"met": each.met} for each in self.findings]}
        file.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
        return file


def read(file: Path) -> Result:
    """What ``write`` wrote."""
    tree = json.loads(file.read_text(encoding="utf-8"))
    findings = [Finding(**{key: value for key, value in each.items() if key != "met"}) for each in tree["findings"]]
    return Result(**{**tree, "findings": findings})


def ratio(
    what: str, values: Mapping[str, Sequence[float]], ours: str, theirs: str, *, unit: str, target: float | None
) -> Finding:
    """A finding of two of the sides: the median of the ratios of their pairs."""
    pair = {name: values[name] for name in (ours, theirs)}
    return Finding(what, pair, unit, median_ratio(values[ours], values[theirs]), "x", target)


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 3
    return f"{value:,.{digits}f}"
