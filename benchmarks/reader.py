"""Reading on one core, by FilmSet.gather and by threads ahead, against numpy's gather and simplejpeg's decoding."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.pairs import in_turn
from benchmarks.result import Finding, ratio
from benchmarks.sides import Side, first_cores, program
from trainer.data.film.images import Encoding

MINUTES = 1.5


class Scale(NamedTuple):
    """Films of ``image_size`` pixels, more than the caches hold, in batches; read once in a turn."""

    films: int
    image_size: int
    batch: int
    repetitions: int


FULL, QUICK = Scale(8192, 256, 32, 7), Scale(128, 64, 8, 2)

TARGETS: dict[Encoding, float] = {"raw": 0.5, "jpeg": 0.9}


def measure(*, quick: bool) -> list[Finding]:
    """Both encodings; files are in the page cache."""
    scale = QUICK if quick else FULL
    return [finding for encoding, target in TARGETS.items() for finding in _measure(scale, encoding, target)]


def _measure(scale: Scale, encoding: Encoding, target: float) -> list[Finding]:
    given = {"cores": first_cores(1), "films": scale.films, "image_size": scale.image_size, "batch": scale.batch}
    with Side(f"reader-{encoding}", [program("reading", {**given, "encoding": encoding})]) as side:
        speeds = in_turn({way: _turn(side, way) for way in ("bare", "gather", "pipeline")}, scale.repetitions)
    what = f"{encoding} films of {scale.image_size} px, batch {scale.batch}, one core"
    return [
        ratio(what, speeds, "gather", "bare", unit="films/s", target=target),
        ratio(what, speeds, "pipeline", "bare", unit="films/s", target=target),
    ]


def _turn(side: Side, way: str) -> Callable[[], float]:
    def turn() -> float:
        answer = side(way=way)[0]
        return float(answer["films"] / answer["seconds"])

    return turn
