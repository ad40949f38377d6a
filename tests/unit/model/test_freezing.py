"""Frozen layers: not trained, not averaged, in inference mode; the head is always trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.model.freezing import first_epochs, freeze, moving_statistics
from trainer.model.layers import keyed_randomness
from trainer.model.registry import build

IMPROVED = ModelConfig(
    name="resnet50", dropout=0.5, hidden_units=256, hidden_dropout=0.3, layout="keras", trained_layers=20
)


@pytest.fixture(scope="module")
def improved() -> keras.Model:
    model = build(IMPROVED, classes=15, image_size=32)
    freeze(model, first_epochs(model, IMPROVED), 0)
    return model


def test_the_last_layers_and_the_head_are_trained(improved) -> None:
    trained = {each.path.split("/")[0] for each in improved.trainable_variables}
    assert {"head", "head_hidden", "stage4_block2_conv3"} <= trained
    assert "stem_conv" not in trained
    assert "stage4_block0_conv1" not in trained


def test_only_statistics_of_trained_layers_move(improved) -> None:
    moving = {each.path for each in moving_statistics(improved)}
    assert moving
    assert all(each.endswith(("moving_mean", "moving_variance")) for each in moving)
    assert {each.split("/")[0] for each in moving} <= {each.path.split("/")[0] for each in improved.trainable_variables}


def test_a_frozen_norm_works_as_in_inference(improved) -> None:
    norm = improved.get_layer("stage1_block0_norm1")
    before = norm.moving_mean.numpy()
    with keyed_randomness(tf.constant([0, 0]), tf.constant(0), 2):
        improved(tf.random.stateless_uniform((2, 32, 32, 1), (0, 0)), training=True)
    np.testing.assert_array_equal(norm.moving_mean.numpy(), before)


def test_nothing_is_frozen_by_default() -> None:
    config = ModelConfig(name="resnet18")
    model = build(config, classes=15, image_size=32)
    assert not freeze(model, first_epochs(model, config), 0)
    assert len(moving_statistics(model)) + len(model.trainable_variables) == len(model.variables)


def test_two_dropouts_of_a_network_draw_different_masks() -> None:
    from trainer.model.layers import KeyedDropout

    ones = tf.ones((4, 64))
    with keyed_randomness(tf.constant([1, 2]), tf.constant(0), 4):
        one, other = (KeyedDropout(0.5, name=name)(ones, training=True) for name in ("dropout", "head_dropout"))
    assert not np.array_equal(one, other)


def test_layers_are_unfrozen_from_the_top_down_a_few_at_a_time() -> None:
    config = ModelConfig(name="resnet18", trained_layers=3, unfreeze_every_epochs=2, unfreeze_layers=5)
    model = build(config, classes=15, image_size=32)
    first = first_epochs(model, config)
    trained = []
    for epoch in range(7):
        freeze(model, first, epoch)
        trained.append(sum(layer.trainable for layer in model.layers) - 2)
    assert trained == [3, 3, 8, 8, 13, 13, 18]
    assert model.layers[-1].trainable
    assert not model.layers[0].trainable
