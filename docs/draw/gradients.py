"""Measures gradients by depth with and without shortcuts, and draws them.

::

    python -m docs.draw.gradients --config docs/comparison/notebook.yaml --set data.training=sets/phantoms64/training \
        docs/gradients.png
"""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from docs.draw.depth import Gradients, draw_gradients, table
from trainer import runtime, settings
from trainer.collectives import Collectives
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan, random_key
from trainer.films import open_films
from trainer.model.layers import FusedBatchNormalization
from trainer.network import network, weights_of_positives
from trainer.optimizer import AdamW, learning_rate
from trainer.step import Draw, TrainingStep, parameters, read
from trainer.topology import Topology

_NETWORKS = (("resnet34", True), ("plain34", False))
_MEASURED_BATCHES = 4
_NO_STOP = 0.0


def main() -> None:
    """From the command line to the picture, and the table on standard output."""
    given = _arguments()
    config = settings.load(given.config, given.set)
    ranks = runtime.start(config, Topology())
    films = open_films(config, "training", ranks.topology)
    measured = [
        measure(config, films, ranks, name, shortcuts=shortcuts, norm=norm, steps=given.steps)
        for norm in (True, False)
        for name, shortcuts in _NETWORKS
    ]
    films.close()
    draw_gradients(measured).savefig(given.picture, metadata={"Software": None})
    sys.stdout.write(f"{table(measured)}\n")


def measure(
    config: Config, films: FilmSet, ranks: Collectives, name: str, *, shortcuts: bool, norm: bool, steps: int
) -> Gradients:
    """Trains one network for so many steps; before and after, the norms over the same batches, the run's first."""
    keras.utils.set_random_seed(config.train.seed)
    config = config.model_copy(update={"model": config.model.model_copy(update={"name": name})})
    model = network(config, films, ranks)
    model = model if norm else without_norm(model)
    optimizer = AdamW(parameters(model), config.optimizer)
    step = TrainingStep(model, optimizer, ranks, config, weights_of_positives(config, films))
    before = norms(model, step, config, films)
    losses = []
    for epoch, number, batch in islice(_batches(config, films), steps):
        size = config.train.global_batch_size
        rate = learning_rate(config.optimizer, step=number, steps=steps, epoch=epoch, global_batch_size=size)
        losses.append(read(step(batch, _draw(config, epoch, number), rate, False)).loss)
    return Gradients(name, shortcuts, norm, before, norms(model, step, config, films), losses)


def without_norm(model: keras.Model) -> keras.Model:
    """A new network of the same layers, but that its batch norms pass on what comes."""

    def layer_like(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.Identity(name=layer.name)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=layer_like)


def norms(model: keras.Model, step: TrainingStep, config: Config, films: FilmSet) -> list[float]:
    """By depth, the norm of the loss's gradient for each kernel, its mean over the first batches; shortcuts' not."""
    found = []
    for epoch, number, batch in islice(_batches(config, films), _MEASURED_BATCHES):
        sums, _ = step.gradients(batch, _draw(config, epoch, number), tf.constant(_NO_STOP))
        gradients = zip(parameters(model), sums.gradients, strict=True)
        found.append([float(tf.norm(each / sums.weight)) for name, each in gradients if is_on_the_way(name)])
    return [float(each) for each in np.mean(found, axis=0)]


def is_on_the_way(path: str) -> bool:
    """Whether a variable is the kernel of a convolution that no shortcut passes through."""
    layer, _, variable = path.partition("/")
    return variable == "kernel" and "conv" in layer and "projection" not in layer


def _batches(config: Config, films: FilmSet) -> Iterator[tuple[int, int, Batch]]:
    """Epoch, number in it and batch, in the order of a run on one rank."""
    size, epoch = config.train.global_batch_size, 0
    while True:
        plan = EpochPlan(
            films.records_per_shard,
            seed=config.train.seed,
            epoch=epoch,
            global_batch_size=size,
            window_shards=config.data.shuffle_window_shards,
        )
        batches = training_batches(films, plan, range(size), first_batch=0, config=config.data)
        yield from ((epoch, number, batch) for number, batch in enumerate(batches))
        epoch += 1


def _draw(config: Config, epoch: int, number: int) -> Draw:
    keys = (random_key(config.train.seed, epoch, number, what) for what in ("augment", "dropout"))
    return Draw(*(tf.constant(each) for each in keys), tf.constant(0))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m docs.draw.gradients", description="Draws gradients by depth.")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--config", type=Path, help="settings of the training, as of cxr-train")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, laid over them")
    parser.add_argument("--steps", type=int, default=30, help="between the two measurements")
    return parser.parse_args()


if __name__ == "__main__":
    main()
