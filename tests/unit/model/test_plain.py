"""Plain networks are the ResNets of their depth less the shortcuts, and nothing else."""

import keras
import pytest
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.errors import DataError
from trainer.model.registry import build
from trainer.model.weights.fitting import fit
from trainer.model.weights.weights import Weights


def built(name: str) -> keras.Model:
    return build(ModelConfig(name=name), classes=15, image_size=32)


@pytest.fixture(scope="module")
def pair() -> tuple[keras.Model, keras.Model]:
    return built("plain34"), built("resnet34")


def shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    return {each.path: tuple(each.shape) for each in model.variables}


def convolutions(model: keras.Model) -> list[str]:
    return [each.name for each in model.layers if isinstance(each, keras.layers.Conv2D)]


def test_parameters_are_the_resnets_without_the_projections(pair) -> None:
    plain, residual = map(shapes, pair)
    assert plain == {path: shape for path, shape in residual.items() if "_projection_" not in path}
    assert len(plain) < len(residual)


def test_there_are_as_many_layers_with_weights_as_the_name_says() -> None:
    assert {name: len(convolutions(built(name))) + 1 for name in ("plain18", "plain34")} == {
        "plain18": 18,
        "plain34": 34,
    }


def test_nothing_is_added_in_the_graph(pair) -> None:
    additions = [[each.name for each in model.layers if isinstance(each, keras.layers.Add)] for model in pair]
    assert [len(each) for each in additions] == [0, 16]


def test_each_layer_feeds_the_next_alone(pair) -> None:
    plain, _ = pair
    fed = [len(layer._outbound_nodes) for layer in plain.layers]
    assert fed == [1] * (len(fed) - 1) + [0]


def test_a_block_of_zero_convolutions_passes_nothing_on_where_a_resnets_passes_its_input(pair) -> None:
    films = tf.random.stateless_uniform((2, 32, 32, 1), (0, 0))
    through = []
    for model in pair:
        block = "stage1_block1"
        for part in ("conv1", "conv2"):
            layer = model.get_layer(f"{block}_{part}")
            layer.kernel.assign(tf.zeros_like(layer.kernel))
        before, after = (model.get_layer(f"{name}_relu").output for name in ("stage1_block0", block))
        through.append(keras.Model(model.inputs, [before, after])(films, training=False))
    (_, plain_after), (residual_before, residual_after) = through
    assert not tf.reduce_any(plain_after != 0)
    assert tf.reduce_all(residual_after == residual_before)


def test_every_variable_gets_a_gradient(pair) -> None:
    plain, _ = pair
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(plain(tf.random.stateless_uniform((2, 32, 32, 1), (0, 0)), training=True) ** 2)
    gradients = tape.gradient(loss, [each.value for each in plain.trainable_variables])
    assert all(each is not None for each in gradients)


def test_weights_of_a_resnet_are_refused_for_they_have_projections(pair) -> None:
    plain, residual = pair
    weights = Weights({each.path: each.numpy() for each in residual.variables}, "notebook")
    with pytest.raises(DataError, match=r"has stage2_block0_projection_conv/kernel .* which the network has not"):
        fit(plain, weights, (), "resnet34.safetensors")
