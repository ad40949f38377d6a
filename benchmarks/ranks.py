"""Two ranks of one core each, against twice one rank on one core; also against two ranks that do not talk."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.pairs import Measurements, in_turn
from benchmarks.result import Finding, ratio
from benchmarks.sides import Side, first_cores, program

MINUTES = 6.0


class Scale(NamedTuple):
    """Steps in a turn, for each number of films a rank."""

    model: str
    image_size: int
    films: tuple[int, ...]
    steps: int
    repetitions: int


FULL, QUICK = Scale("resnet34", 224, (16, 32), 4, 5), Scale("simple_cnn", 32, (2,), 2, 2)

ALONE, APART, GLOO, MPI = "one rank, twice", "two apart", "two ranks, Gloo", "two ranks, MPI"


def measure(*, quick: bool) -> list[Finding]:
    """In films a second over all ranks; "one rank" works while the other core is idle."""
    scale = QUICK if quick else FULL
    with ExitStack() as stack:
        sides = {name: stack.enter_context(side) for name, side in _sides(scale).items()}
        findings = []
        for films in scale.films:
            speeds = in_turn({name: _turn(side, films, scale.steps) for name, side in sides.items()}, scale.repetitions)
            findings += _findings(speeds, films, scale)
    return findings


def _findings(speeds: Measurements, films: int, scale: Scale) -> list[Finding]:
    speeds = {**speeds, ALONE: [2 * each for each in speeds[ALONE]]}
    what = f"{scale.model}, {scale.image_size} px, {films} films a rank, no compression"
    return [
        ratio(what, speeds, GLOO, ALONE, unit="films/s", target=0.92),
        ratio(what, speeds, MPI, ALONE, unit="films/s", target=0.92),
        ratio(what, speeds, GLOO, APART, unit="films/s", target=None),
        ratio(what, speeds, MPI, APART, unit="films/s", target=None),
        ratio(f"{what}: what the cores share", speeds, APART, ALONE, unit="films/s", target=None),
    ]


def _sides(scale: Scale) -> dict[str, Side]:
    def command(cores: list[int], ranks: int, launcher: str) -> list[str]:
        config = {"model": {"name": scale.model}, "collectives": {"launcher": launcher}}
        shape = {"image_size": scale.image_size, "films": scale.films}
        return program("ours", {**shape, "cores": cores, "ranks": ranks, "config": config})

    cores = first_cores(2)
    return {
        ALONE: Side("ranks-alone", [command(cores[:1], 1, "gloo")]),
        APART: Side("ranks-apart", [command([core], 1, "gloo") for core in cores]),
        GLOO: Side("ranks-gloo", [command(cores, 2, "gloo")], processes=2),
        MPI: Side("ranks-mpi", [command(cores, 2, "mpi")], processes=2),
    }


def _turn(side: Side, films: int, steps: int) -> Callable[[], float]:
    def turn() -> float:
        return sum(films * steps / each["seconds"] for each in side(films=films, steps=steps))

    return turn
