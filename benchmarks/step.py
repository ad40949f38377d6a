"""The training step on data in memory, against stock Keras 3 ``model.fit`` as in a notebook, and against PyTorch 2."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.pairs import in_turn
from benchmarks.result import Finding, ratio
from benchmarks.sides import TORCH, Side, first_cores, program

MINUTES = 4.0


class Scale(NamedTuple):
    """ResNet-34 on batches of ``films`` of ``image_size`` pixels, on two cores."""

    image_size: int
    films: int
    steps: int
    repetitions: int


FULL, QUICK = Scale(224, 32, 6, 5), Scale(32, 2, 2, 2)

OURS, KERAS, TORCH_2 = "ours", "Keras 3 fit", "PyTorch 2"


def measure(*, quick: bool) -> list[Finding]:
    """Ours augments and is bfloat16 where the machine is; Keras is float32, as it comes; PyTorch is bfloat16."""
    scale = QUICK if quick else FULL
    shape = {"image_size": scale.image_size, "films": scale.films}
    programs = {
        OURS: program("ours", {**shape, "films": [scale.films], "ranks": 1, "config": {}}),
        KERAS: program("keras_fit", shape),
        TORCH_2: program("torch_step", shape, python=TORCH),
    }
    with ExitStack() as stack:
        sides = {
            name: stack.enter_context(Side(f"step-{number}", [command]))
            for number, (name, command) in enumerate(programs.items())
        }
        speeds = in_turn({name: films_per_second(side, scale) for name, side in sides.items()}, scale.repetitions)
    what = f"training step, ResNet-34, {scale.image_size} px, batch {scale.films}, {len(first_cores(2))} cores"
    return [
        ratio(what, speeds, OURS, KERAS, unit="films/s", target=1.8),
        ratio(what, speeds, OURS, TORCH_2, unit="films/s", target=1.0),
    ]


def films_per_second(side: Side, scale: Scale) -> Callable[[], float]:
    """One turn of the side."""

    def turn() -> float:
        seconds = max(each["seconds"] for each in side(films=scale.films, steps=scale.steps))
        return scale.films * scale.steps / seconds

    return turn
