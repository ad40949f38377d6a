"""``prepare`` from 1024 px PNG files, against a bare loop that decodes and resizes them; memory at N and 4N films."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.films import png_films
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sampled import peak_memory
from benchmarks.sides import Side, program

MINUTES = 3.0


class Scale(NamedTuple):
    """PNG files of ``source_side`` pixels, stored at ``image_size``."""

    films: int
    source_side: int
    image_size: int
    repetitions: int


FULL, QUICK = Scale(3072, 1024, 224, 3), Scale(64, 128, 64, 2)

PREPARE, BARE = "prepare", "bare decode and resize"

LARGEST_GROWTH = 1.05
"""Of memory from N to 4N films: what two equal runs may differ by."""


def measure(*, quick: bool) -> list[Finding]:
    """The files are in the page cache; starting processes is in prepare's time, not in the bare loop's."""
    scale = QUICK if quick else FULL
    folder, _ = png_films(scale.films, scale.source_side)
    decoding = program("decoding", {"folder": str(folder), "image_size": scale.image_size})
    preparing = program("preparing", {"config": {"prepare": _config(scale, scale.films)}})
    with Side("prepare", [preparing]) as ours, Side("prepare-bare", [decoding]) as bare:
        speeds = in_turn({PREPARE: _turn(ours), BARE: _turn(bare)}, scale.repetitions)
    what = f"{scale.films} PNG films of {scale.source_side} px to {scale.image_size} px, two cores"
    return [ratio(what, speeds, PREPARE, BARE, unit="films/s", target=0.9), _growth(scale)]


def _turn(side: Side) -> Callable[[], float]:
    def turn() -> float:
        answer = side()[0]
        return float(answer["films"] / answer["seconds"])

    return turn


def _growth(scale: Scale) -> Finding:
    peaks = {count: _peak(scale, count) for count in (scale.films // 4, scale.films)}
    sides = {f"{count} films": [peak] for count, peak in peaks.items()}
    few, many = peaks.values()
    return Finding("peak memory of all processes", sides, "MiB", many / few, "x", LARGEST_GROWTH, at_most=True)


def _peak(scale: Scale, films: int) -> float:
    config = _config(scale, films)
    shutil.rmtree(str(config["destination"]), ignore_errors=True)
    values = [f"--set=prepare.{key}={value}" for key, value in config.items()]
    command = [sys.executable, "-m", "trainer.cli", "prepare", *values]
    return peak_memory(command, FOLDER / "logs" / "prepare-memory.log").resident


def _config(scale: Scale, films: int) -> dict[str, object]:
    folder, table = png_films(films, scale.source_side)
    return {
        "source": [str(folder)],
        "table": str(table),
        "destination": str(Path(FOLDER, "data", f"prepared-{films}")),
        "split": "patient",
        "validation_fraction": 0.0,
        "test_fraction": 0.0,
        "image_size": scale.image_size,
    }
