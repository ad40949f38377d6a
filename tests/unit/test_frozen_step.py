"""A frozen layer costs a step no gradient: none in its graph, none in its allreduce, no moments, no moved weights."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.collectives import SingleRank
from trainer.config import Config
from trainer.data.pipeline import Batch
from trainer.model.freezing import first_epochs, freeze
from trainer.model.registry import build
from trainer.optimizer import AdamW
from trainer.step import Draw, TrainingStep, arrays, parameters, read

SIDE, FILMS, CLASSES = 32, 2, 3
TRAINED = 8
"""Layers: of the last block of a ResNet-18, and the ReLU before it, so two convolutions."""
TRAINED_KERNELS = {"stage4_block1_conv1/kernel", "stage4_block1_conv2/kernel", "head/kernel"}

DRAW = Draw(tf.constant([1, 2]), tf.constant([3, 4]), tf.constant(0))


class Listening(SingleRank):
    """Notes what is brought to the allreduce."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def allreduce(self, tensors: Sequence[tf.Tensor], names: Sequence[str]) -> list[tf.Tensor]:
        self.names += names
        return super().allreduce(tensors, names)


class Stepped:
    """A network of which a step was traced, and done."""

    def __init__(self, trained_layers: int) -> None:
        keras.utils.set_random_seed(0)
        config = Config.model_validate(
            {
                "model": {"name": "resnet18", "trained_layers": trained_layers},
                "train": {"global_batch_size": FILMS, "precision": "float32", "augment": {"enabled": False}},
            }
        )
        self.ranks = Listening()
        self.model = build(config.model, classes=CLASSES, image_size=SIDE)
        freeze(self.model, first_epochs(self.model, config.model), 0)
        self.optimizer = AdamW(parameters(self.model), config.optimizer)
        step = TrainingStep(self.model, self.optimizer, self.ranks, config, np.ones(CLASSES, np.float32))
        batch, zero = _batch(), tf.constant(0.0)
        graph = step.gradients.get_concrete_function(batch, DRAW, zero).graph
        self.operations = Counter(each.type for each in graph.get_operations())
        self.before = self.values()
        read(step(batch, DRAW, 1e-2, False))
        self.after = self.values()

    def values(self) -> dict[str, Any]:
        return arrays({each.path: each.value for each in self.model.variables})

    def moved(self) -> set[str]:
        return {name for name, value in self.after.items() if not np.array_equal(value, self.before[name])}


def _batch() -> Batch:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (FILMS, SIDE, SIDE, 1), dtype=np.uint8)
    labels = (random.random((FILMS, CLASSES)) < 0.4).astype(np.float32)
    return Batch(tf.constant(images), tf.constant(labels), tf.ones(FILMS))


@pytest.fixture(scope="module")
def frozen() -> Stepped:
    return Stepped(TRAINED)


@pytest.fixture(scope="module")
def whole() -> Stepped:
    return Stepped(0)


def test_only_trained_kernels_have_a_gradient_in_the_graph(frozen: Stepped, whole: Stepped) -> None:
    assert frozen.operations["Conv2D"] == whole.operations["Conv2D"] == 20
    assert whole.operations["Conv2DBackpropFilter"] == 20
    assert frozen.operations["Conv2DBackpropFilter"] == 2


def test_no_gradient_goes_below_the_lowest_trained_layer(frozen: Stepped, whole: Stepped) -> None:
    # Both gradients of a convolution are traced; the lowest one's for its input leads nowhere, and is pruned later.
    assert whole.operations["Conv2DBackpropInput"] == 20
    assert frozen.operations["Conv2DBackpropInput"] == 2


def test_norms_of_frozen_layers_take_no_moments_of_the_batch(frozen: Stepped, whole: Stepped) -> None:
    assert whole.operations["FusedBatchNormGradV3"] == 20
    assert frozen.operations["FusedBatchNormGradV3"] == 2


def test_nothing_of_a_frozen_layer_is_averaged(frozen: Stepped, whole: Stepped) -> None:
    kernels = {name.removeprefix("gradient/") for name in frozen.ranks.names if name.endswith("/kernel")}
    assert kernels == TRAINED_KERNELS
    layers = {name.split("/")[1] for name in frozen.ranks.names if "/" in name}
    assert layers == {name.split("/")[0] for name in parameters(frozen.model)}
    assert len(whole.ranks.names) == len(whole.model.variables) + 1


def test_nothing_of_a_frozen_layer_moves_or_has_moments(frozen: Stepped, whole: Stepped) -> None:
    assert {name for name in frozen.moved() if name.endswith("/kernel")} == TRAINED_KERNELS
    assert {name.rpartition("/")[0] for name in frozen.optimizer.state() if "/" in name} == set(
        parameters(frozen.model)
    )
    assert whole.moved() == set(whole.before)
