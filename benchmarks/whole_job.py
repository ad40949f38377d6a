"""The whole job (shards, augmentation, metrics, log, a checkpoint every 100 steps), against the bare step in memory."""

import shutil
from typing import NamedTuple

from benchmarks.films import film_set
from benchmarks.pairs import in_turn
from benchmarks.result import FOLDER, Finding, ratio
from benchmarks.sides import Side, program

MINUTES = 5.0


class Scale(NamedTuple):
    """The job trains ``warm_steps``, then ``turns`` of ``steps``; saves and times a step in parts every so many."""

    model: str
    image_size: int
    films: int
    warm_steps: int
    steps: int
    turns: int
    save_steps: int
    sample_steps: int


# Steps 61 to 160 hold one checkpoint (100) and one step timed in parts (110), as any 100 do of a run with the defaults.
# The first such step (55) is not among them: it traces the graph once more.
FULL, QUICK = Scale("resnet34", 224, 32, 60, 20, 5, 100, 55), Scale("simple_cnn", 32, 2, 4, 3, 2, 7, 3)

WHOLE, BARE = "whole job", "bare step"


def measure(*, quick: bool) -> list[Finding]:
    """Both augment. The turns together hold a checkpoint's share of time, so the claim is about their sum."""
    scale = QUICK if quick else FULL
    config = _config(scale)
    job = {"config": config, "warm_steps": scale.warm_steps, "segment_steps": scale.steps}
    bare = {"config": config, "image_size": scale.image_size, "films": [scale.films], "ranks": 1}
    with (
        Side("whole-job", [program("job", job)]) as whole_side,
        Side("whole-job-bare", [program("ours", bare)]) as bare_side,
    ):
        seconds = in_turn(
            {
                WHOLE: lambda: whole_side()[0]["seconds"],
                BARE: lambda: bare_side(films=scale.films, steps=scale.steps)[0]["seconds"],
            },
            scale.turns,
        )
    films = scale.films * scale.steps
    speeds = {name: [films / each for each in values] for name, values in seconds.items()}
    totals = {name: [films * scale.turns / sum(values)] for name, values in seconds.items()}
    what = f"{scale.steps * scale.turns} steps, {scale.model}, {scale.image_size} px, batch {scale.films}"
    return [
        ratio(f"{what}, one checkpoint", totals, WHOLE, BARE, unit="films/s", target=0.97),
        ratio(f"of {scale.turns} turns of {scale.steps} steps", speeds, WHOLE, BARE, unit="films/s", target=None),
    ]


def _config(scale: Scale) -> dict[str, object]:
    run = FOLDER / "whole-job"
    shutil.rmtree(run, ignore_errors=True)
    films = scale.films * (scale.warm_steps + scale.turns * scale.steps)
    return {
        "data": {"training": str(film_set(films, scale.image_size))},
        "model": {"name": scale.model},
        "train": {"epochs": 1, "global_batch_size": scale.films},
        "checkpoint": {"directory": str(run), "every_steps": scale.save_steps},
        "telemetry": {"phase_sample_steps": scale.sample_steps},
    }
