"""What some ranks compute of a run, for comparison with other numbers of ranks: ``equality.py RANKS SET FOLDER``.

Rank 0 writes FOLDER/computed.json: the losses of 20 real steps in float64, the averaged gradients of a full and of a
filled-up batch, the first loss in float32, and how far averaged gradients are from those of the whole batch.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from altered import know_small_network

from trainer import collectives, settings
from trainer.checkpoint import history
from trainer.collectives import Collectives, SingleRank
from trainer.config import Config
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import random_key
from trainer.data.store.folder import FolderStore
from trainer.ranks import launch_gloo
from trainer.run import Run
from trainer.step import Draw, Sums, TrainingStep, read
from trainer.topology import from_environment, is_rank
from trainer.train import train

BATCH_SIZE = 32
FULL, FILLED_UP = 0, 4


def main() -> None:
    ranks, films, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    if ranks > 1 and not is_rank(os.environ):
        sys.exit(launch_gloo(ranks, [sys.executable, *sys.argv]))
    know_small_network()
    computed = compute(films, folder)
    if from_environment(os.environ).is_first:
        (folder / "computed.json").write_text(json.dumps(computed))


def compute(films: str, folder: Path) -> dict[str, Any]:
    topology = from_environment(os.environ)
    curve = tree(films, folder / "curve", "small", "float64")
    train(curve, topology)
    opened_run = FolderStore(folder / "curve", "checkpoint.directory")
    ranks = collectives.start(topology, curve.collectives)
    synchronised = opened(tree(films, folder / "gradients", "small", "float64"), ranks)
    without_norm = opened(tree(films, folder / "whole", "simple_cnn", "float64"), ranks)
    narrow = opened(tree(films, folder / "narrow", "small", "float32"), ranks)
    return {
        "losses": [row["loss"] for row in history.read(opened_run) if row["kind"] == "step"],
        "gradients": {
            name: {each: from_four_sides(value) for each, value in averaged(synchronised, batch).items()}
            for name, batch in (("full", FULL), ("filled up", FILLED_UP))
        },
        "first_loss_float32": read(narrow.learner.step(batch_of(narrow, FULL), draw_of(narrow, FULL), 0.1, False)).loss,
        "distance_from_whole": {
            "full": distance_from_whole(without_norm, FULL),
            "filled up": distance_from_whole(without_norm, FILLED_UP),
        },
    }


def tree(films: str, directory: Path, model: str, precision: str) -> Config:
    return settings.validate(
        {
            "data": {"training": films},
            "model": {"name": model, "dropout": 0.3, "sync_batch_norm": True},
            "train": {"epochs": 4, "global_batch_size": BATCH_SIZE, "precision": precision, "log_every_steps": 1},
            "checkpoint": {"directory": str(directory)},
        }
    )


def opened(config: Config, ranks: Collectives) -> Run:
    keras.config.set_dtype_policy(config.train.precision)
    keras.utils.set_random_seed(config.train.seed)
    return Run(config, ranks)


def averaged(run: Run, number: int) -> dict[str, np.ndarray]:
    """The gradients by variable, averaged over ranks and divided by the sum of weights."""
    sums, _ = run.learner.step.gradients(batch_of(run, number), draw_of(run, number), tf.constant(0.0))
    return by_variable(run, run.learner.step.allreduce(sums))


def distance_from_whole(run: Run, number: int) -> float:
    """Of the averaged gradient from that of one process with the whole batch, the largest part of a variable's norm."""
    alone = TrainingStep(
        run.model, run.learner.optimizer, SingleRank(), run.config, np.ones(len(run.classes), np.float32)
    )
    every_slot = range(BATCH_SIZE)
    draw = draw_of(run, number)._replace(first_slot=tf.constant(0))
    sums, _ = alone.gradients(batch_of(run, number, every_slot), draw, tf.constant(0.0))
    whole, ours = by_variable(run, sums), averaged(run, number)
    return max(float(np.linalg.norm(ours[each] - whole[each]) / np.linalg.norm(whole[each])) for each in whole)


def by_variable(run: Run, sums: Sums) -> dict[str, np.ndarray]:
    names = [each.path for each in run.model.trainable_variables]
    return {
        name: (each / tf.cast(sums.weight, each.dtype)).numpy()
        for name, each in zip(names, sums.gradients, strict=True)
    }


def batch_of(run: Run, number: int, slots: range | None = None) -> Batch:
    """This rank's slots of a batch, in which a fifth of the labels are unknown."""
    slots = run.slots if slots is None else slots
    batch = next(training_batches(run.training, run.plan(0), slots, first_batch=number, config=run.config.data))
    unknown = np.random.default_rng(number).random((BATCH_SIZE, len(run.classes))) < 0.2
    return batch._replace(labels=tf.where(unknown[slots.start : slots.stop], np.float32("nan"), batch.labels))


def draw_of(run: Run, number: int) -> Draw:
    keys = (tf.constant(random_key(0, 0, number, purpose)) for purpose in ("augment", "dropout"))
    return Draw(*keys, tf.constant(run.slots.start))


def from_four_sides(gradient: np.ndarray) -> list[float]:
    """Four random projections, which two gradients share only if they are equal."""
    return (np.random.default_rng(0).standard_normal((4, gradient.size)) @ gradient.ravel()).tolist()


if __name__ == "__main__":
    main()
