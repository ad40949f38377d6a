"""The training step in bfloat16 against the same in float32: what ``train.precision: auto`` chooses between."""

from contextlib import ExitStack

from benchmarks.pairs import in_turn
from benchmarks.result import Finding, ratio
from benchmarks.sides import Side, first_cores, program
from benchmarks.step import FULL, QUICK, films_per_second

MINUTES = 3.0

BFLOAT16, FLOAT32 = "bfloat16", "float32"


def measure(*, quick: bool) -> list[Finding]:
    """On the cores that the step is measured on. No target: which is faster depends on the processor."""
    scale = QUICK if quick else FULL
    with ExitStack() as stack:
        sides = {
            precision: stack.enter_context(
                Side(f"precision-{precision}", [_program(precision, scale.image_size, scale.films)])
            )
            for precision in (BFLOAT16, FLOAT32)
        }
        speeds = in_turn({name: films_per_second(side, scale) for name, side in sides.items()}, scale.repetitions)
    what = f"training step, ResNet-34, {scale.image_size} px, batch {scale.films}, {len(first_cores(2))} cores"
    return [ratio(what, speeds, BFLOAT16, FLOAT32, unit="films/s", target=None)]


def _program(precision: str, image_size: int, films: int) -> list[str]:
    config = {"train": {"precision": precision}}
    return program("ours", {"image_size": image_size, "films": [films], "ranks": 1, "config": config})
