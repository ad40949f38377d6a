"""``prepare`` from 1024 px PNG files, against a bare loop that decodes and resizes; from one core to two; memory."""

import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.films import png_films
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sampled import peak_memory
from benchmarks.sides import Side, first_cores, program

MINUTES = 6.0


class Scale(NamedTuple):
    """PNG files of ``source_side`` pixels, stored at ``image_size``."""

    films: int
    source_side: int
    image_size: int
    repetitions: int


FULL, QUICK = Scale(3072, 1024, 224, 3), Scale(64, 128, 64, 2)

PREPARE, BARE = "prepare", "bare decode and resize"
ALONE, PROCESSES, WORKERS = "one process, one core", "two processes", "two workers"

_SMALL_SHARD = 4
"""Mebibytes: enough shards to share them evenly."""

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
    return [ratio(what, speeds, PREPARE, BARE, unit="films/s", target=0.9), *_scaling(scale), _growth(scale)]


def _scaling(scale: Scale) -> list[Finding]:
    """Of one worker by its processes, and of two workers of a process each; the second core is idle beside one."""
    with ExitStack() as stack:
        sides = {name: stack.enter_context(Side(f"prepare {name}", each)) for name, each in _shares(scale).items()}
        speeds = in_turn({name: _turn(side) for name, side in sides.items()}, scale.repetitions)
        (cpu,) = sides[PROCESSES]()
    what = f"{scale.films} PNG films of {scale.source_side} px to {scale.image_size} px, from one core to two"
    scaled = [ratio(what, speeds, name, ALONE, unit="films/s", target=1.8) for name in (PROCESSES, WORKERS)]
    seconds = {"parent": [cpu["own_cpu"]], "parent and two processes": [cpu["all_cpu"]]}
    part = cpu["own_cpu"] / cpu["all_cpu"]
    return [*scaled, Finding("CPU time of the process that writes", seconds, "s", part, "x", 0.05, at_most=True)]


def _shares(scale: Scale) -> dict[str, list[list[str]]]:
    def preparing(cores: list[int], name: str, **settings: object) -> list[str]:
        into = {"destination": str(Path(FOLDER, "data", f"prepared-{name}")), "shard_mebibytes": _SMALL_SHARD}
        config = _config(scale, scale.films) | into | settings
        return program("preparing", {"config": {"prepare": config}, "cores": cores})

    both = first_cores(2)
    return {
        ALONE: [preparing(both[:1], "alone", processes=1)],
        PROCESSES: [preparing(both, "processes", processes=len(both))],
        WORKERS: [
            preparing([core], f"worker-{number}", processes=1, workers=len(both), worker=number)
            for number, core in enumerate(both)
        ],
    }


def _turn(side: Side) -> Callable[[], float]:
    def turn() -> float:
        answers = side()
        return float(sum(each["films"] for each in answers) / max(each["seconds"] for each in answers))

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
