"""Our training step on one batch in memory, as one rank or as the ranks of a launcher.

Settings: cores, config (nested), image_size, films (list: films a rank, each with a step of its own), ranks.
"""

import os
import sys
import time

import numpy as np

from benchmarks.channel import Parent, Settings, serve, settings
from trainer.ranks import launch_gloo, launch_mpi
from trainer.settings import validate
from trainer.topology import from_environment, is_rank

_CLASSES = 15
_WARM_STEPS = 3


def main() -> None:
    """Starts ranks if there are to be several and this is none of them."""
    given = settings()
    if given["ranks"] == 1 or is_rank(os.environ):
        _serve(given)
        return
    launch = {"gloo": launch_gloo, "mpi": launch_mpi}[given["config"]["collectives"]["launcher"]]
    sys.exit(launch(given["ranks"], [sys.executable, "-m", "benchmarks.programs.ours", sys.argv[1]]))


def _serve(given: Settings) -> None:
    parent = Parent()
    import tensorflow as tf

    from trainer import runtime
    from trainer.data.pipeline import Batch
    from trainer.model.freezing import first_epochs, freeze
    from trainer.model.registry import build
    from trainer.optimizer import AdamW
    from trainer.step import Draw, TrainingStep, parameters, read

    topology = from_environment(os.environ)
    config = validate(given["config"])
    ranks = runtime.start(config, topology)
    model = build(config.model, classes=_CLASSES, image_size=given["image_size"], average=ranks.average_in_model)
    freeze(model, first_epochs(model, config.model), 0)
    optimizer = AdamW(parameters(model), config.optimizer)
    ranks.broadcast([each.value for each in model.variables])
    random = np.random.default_rng(topology.rank)

    def batch_of(films: int) -> Batch:
        images = random.integers(0, 256, (films, given["image_size"], given["image_size"], 1), dtype=np.uint8)
        labels = (random.random((films, _CLASSES)) < 0.1).astype(np.float32)
        return Batch(tf.constant(images), tf.constant(labels), tf.ones(films))

    def step_of(films: int) -> TrainingStep:
        size = {"global_batch_size": films * topology.world_size}
        sized = config.model_copy(update={"train": config.train.model_copy(update=size)})
        return TrainingStep(model, optimizer, ranks, sized, np.ones(_CLASSES, np.float32))

    def averaged_bytes(step: TrainingStep, batch: Batch) -> int:
        """Of the tensors that a step brings to the allreduce, as its graph was traced with them."""
        key = tf.constant([0, 0], tf.int32)
        traced = step.gradients.get_concrete_function(batch, Draw(key, key, tf.constant(0)), tf.constant(0.0))
        sums, _ = traced.structured_outputs
        return sum(each.shape.num_elements() * each.dtype.size for each in [*sums.gradients, *sums.statistics])

    prepared = {films: (step_of(films), batch_of(films)) for films in given["films"]}

    def measure(films: int, steps: int) -> dict[str, float]:
        step, batch = prepared[films]
        began = time.perf_counter()
        for number in range(steps):
            key = tf.constant([number, films], tf.int32)
            read(step(batch, Draw(key, key, tf.constant(topology.rank * films)), 1e-4, False))
        return {"seconds": time.perf_counter() - began, "averaged_bytes": averaged_bytes(step, batch)}

    for films in prepared:
        measure(films, _WARM_STEPS)
    serve(parent, measure)


if __name__ == "__main__":
    main()
