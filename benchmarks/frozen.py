"""docs/nih-improved.yaml, which trains the last 20 layers of a ResNet-50, against the same network wholly trained."""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sampled import peak_memory
from benchmarks.sides import Side, first_cores, program
from benchmarks.step import films_per_second
from trainer import settings
from trainer.config import Config

MINUTES = 5.0


class Scale(NamedTuple):
    """Batches of ``films`` of ``image_size`` pixels; the job whose memory is sampled trains ``job_films`` once."""

    image_size: int
    films: int
    steps: int
    repetitions: int
    job_films: int


class Job(NamedTuple):
    """What a whole job took: MiB at most, and MB of its checkpoint's optimizer."""

    peak: float
    optimizer: float


FULL, QUICK = Scale(224, 32, 3, 5, 128), Scale(32, 2, 2, 2, 4)

FROZEN, WHOLE = "last 20 layers", "all layers"

_SETTINGS = Path(__file__).parents[1] / "docs" / "nih-improved.yaml"
# The weights' values cost nothing, and need not be downloaded: the network is drawn in their layout.
_DRAWN = ("model.weights=", "model.layout=keras")
_CHANGES = {FROZEN: (), WHOLE: ("model.trained_layers=0",)}


def measure(*, quick: bool) -> list[Finding]:
    """Both train the hidden layer and the head; the wholly trained one moves all of batch norm's statistics, too."""
    scale = QUICK if quick else FULL
    shape = {"image_size": scale.image_size, "films": [scale.films], "ranks": 1}
    commands = {name: program("ours", {**shape, "config": _config(name).model_dump()}) for name in _CHANGES}
    with Side("frozen-last", [commands[FROZEN]]) as frozen, Side("frozen-none", [commands[WHOLE]]) as whole:
        sides = {FROZEN: frozen, WHOLE: whole}
        speeds = in_turn({name: films_per_second(side, scale) for name, side in sides.items()}, scale.repetitions)
        averaged = {name: side(films=scale.films, steps=1)[0]["averaged_bytes"] / 1e6 for name, side in sides.items()}
    jobs = {name: _job(name, scale) for name in _CHANGES}
    what = f"ResNet-50, {scale.image_size} px, batch {scale.films}"
    return [
        ratio(f"training step, {what}, {len(first_cores(2))} cores", speeds, FROZEN, WHOLE, unit="films/s", target=2.0),
        _part("averaged over ranks in a step", averaged, "MB"),
        _part("optimizer in a checkpoint", {name: each.optimizer for name, each in jobs.items()}, "MB"),
        _part(f"peak of a run, {what}", {name: each.peak for name, each in jobs.items()}, "MiB"),
    ]


def _config(name: str, *more: str) -> Config:
    return settings.load(_SETTINGS, [*_DRAWN, *_CHANGES[name], *more])


def _part(what: str, values: dict[str, float], unit: str) -> Finding:
    return Finding(what, {name: [each] for name, each in values.items()}, unit, values[FROZEN] / values[WHOLE], "x")


def _job(name: str, scale: Scale) -> Job:
    """An epoch of ``cxr-train train``, a process of its own."""
    run = FOLDER / "frozen"
    shutil.rmtree(run, ignore_errors=True)
    values = {
        "data.training": film_set(scale.job_films, scale.image_size),
        "data.validation": "",
        "train.epochs": 1,
        "train.global_batch_size": scale.films,
        "checkpoint.directory": run,
    }
    changes = [*_DRAWN, *_CHANGES[name], *(f"{key}={value}" for key, value in values.items())]
    command = [sys.executable, "-m", "trainer.cli", "train", "--config", str(_SETTINGS)]
    peak = peak_memory([*command, *(f"--set={each}" for each in changes)], FOLDER / "logs" / "frozen.log")
    (optimizer,) = run.glob("*/optimizer.safetensors")
    return Job(peak.anonymous, optimizer.stat().st_size / 1e6)
