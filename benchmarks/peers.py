"""Films of a local folder into shuffled batches on one core, beside mosaicml-streaming, webdataset and tf.data."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from benchmarks.channel import Settings
from benchmarks.films import film_set, raw_film_file
from benchmarks.pairs import Measurements, in_turn, median_ratio
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sides import PEERS, Side, first_cores, program
from trainer.data.film_set import FilmSet
from trainer.data.store.folder import FolderStore

MINUTES = 2.0


class Scale(NamedTuple):
    """Raw films of ``image_size`` pixels in batches; every one is read once in a turn."""

    films: int
    image_size: int
    batch: int
    repetitions: int


FULL, QUICK = Scale(8192, 256, 32, 7), Scale(128, 64, 8, 2)

OURS = "ours"
SAVED = "tf.data, iterator saved"
"""Another way to resume, in all else the same as ``tf.data``."""


def measure(*, quick: bool) -> list[Finding]:
    """Everyone's turn in every round. Files are in the page cache; a reader that reads other films is an error."""
    scale = QUICK if quick else FULL
    commands = _commands(scale)
    with ExitStack() as stack:
        sides = {name: stack.enter_context(Side(f"peers-{name}", [each])) for name, each in commands.items()}
        _must_read_the_same(sides)
        epochs = {name: side for name, side in sides.items() if name != SAVED}
        first = in_turn(_turns(epochs, "first_epoch", scale.films, _speed), scale.repetitions)
        later = in_turn(_turns(epochs, "later_epoch", scale.films, _speed), scale.repetitions)
        resumed = in_turn(_turns(sides, "resume", _left(scale), _seconds), scale.repetitions)
    what = f"{scale.films} raw films of {scale.image_size} px, batch {scale.batch}, one core"
    return [
        *_faster(f"first epoch, opening included: {what}", first),
        *_faster(f"later epoch: {what}", later),
        *_sooner(f"first batch after a resume in mid-epoch, opening included: {what}", resumed),
    ]


def _commands(scale: Scale) -> dict[str, list[str]]:
    given = _given(scale)

    def loader(name: str, workers: int) -> list[str]:
        return program(name, {**given, "workers": workers}, python=PEERS)

    return {
        OURS: program("ours_reading", given),
        "streaming": loader("streaming_reading", 0),
        "streaming, 1 worker": loader("streaming_reading", 1),
        "webdataset": loader("webdataset_reading", 0),
        "webdataset, 1 worker": loader("webdataset_reading", 1),
        "tf.data": program("tfdata_reading", {**given, "saved": False}),
        SAVED: program("tfdata_reading", {**given, "saved": True}),
    }


def _given(scale: Scale) -> Settings:
    films, side = scale.films, scale.image_size
    folder = film_set(films, side)
    labels = FOLDER / "data" / f"{films}.labels.npy"
    np.save(labels, FilmSet.open(FolderStore(folder, "benchmark")).labels())
    return {
        "cores": first_cores(1),
        "films": films,
        "image_size": side,
        "batch": scale.batch,
        "set": str(folder),
        "pixels": str(raw_film_file(films, side)),
        "labels": str(labels),
        "data": str(FOLDER / "data"),
    }


def _must_read_the_same(sides: dict[str, Side]) -> None:
    totals = {name: side(way="totals")[0] for name, side in sides.items()}
    different = [name for name, each in totals.items() if each != totals[OURS]]
    if different:
        raise RuntimeError(f"{different[0]} reads other films: {totals[different[0]]}, {OURS} {totals[OURS]}")


def _turns(
    sides: dict[str, Side], way: str, films: int, value: Callable[[dict[str, Any]], float]
) -> dict[str, Callable[[], float]]:
    """``films``: that each must have read."""

    def turn(name: str, side: Side) -> float:
        answer = side(way=way)[0]
        if answer["films"] != films:
            raise RuntimeError(f"{name}, {way}: {answer['films']} films, not {films}")
        return value(answer)

    return {name: partial(turn, name, side) for name, side in sides.items()}


def _left(scale: Scale) -> int:
    batches = scale.films // scale.batch
    return (batches - batches // 2) * scale.batch


def _speed(answer: dict[str, Any]) -> float:
    return float(answer["films"] / answer["seconds"])


def _seconds(answer: dict[str, Any]) -> float:
    return float(answer["seconds"])


def _faster(what: str, speeds: Measurements) -> list[Finding]:
    return [ratio(what, speeds, OURS, peer, unit="films/s", target=1) for peer in speeds if peer != OURS]


def _sooner(what: str, seconds: Measurements) -> list[Finding]:
    def beside(peer: str) -> Finding:
        pair = {name: seconds[name] for name in (OURS, peer)}
        return Finding(what, pair, "s", median_ratio(seconds[OURS], seconds[peer]), "x", target=1, at_most=True)

    return [beside(peer) for peer in seconds if peer != OURS]
