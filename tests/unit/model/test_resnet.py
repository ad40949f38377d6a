"""The ResNets have the published sizes, the notebook's ResNet-34, and names to find layers by."""

import keras
import pytest
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.model.layers import keyed_randomness
from trainer.model.registry import build


def trainable_parameters(model: keras.Model) -> int:
    return sum(variable.value.shape.num_elements() for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("resnet101", 44_549_160),
        ("resnet152", 60_192_808),
    ],
)
def test_family_has_the_published_number_of_trainable_parameters(name: str, parameters: int) -> None:
    config = ModelConfig(name=name, channels=3, conv_bias=False)
    assert trainable_parameters(build(config, classes=1000, image_size=32)) == parameters


def test_resnet34_is_as_large_as_the_notebooks() -> None:
    model = build(ModelConfig(name="resnet34", channels=3), classes=15, image_size=224)
    assert model.count_params() == 21_317_903


@pytest.fixture(scope="module")
def resnet50() -> keras.Model:
    return build(ModelConfig(name="resnet50", dropout=0.5), classes=15, image_size=64)


def test_layers_are_named_by_stage_block_and_part(resnet50: keras.Model) -> None:
    named = {layer.name for layer in resnet50.layers}
    assert {"stem_conv", "stage2_block0_conv1", "stage2_block0_norm1", "stage2_block0_projection_conv"} <= named
    assert {"stage4_block2_relu", "pool", "dropout", "head"} <= named


def test_only_the_first_block_of_a_stage_projects(resnet50: keras.Model) -> None:
    projections = [layer.name for layer in resnet50.layers if layer.name.endswith("projection_conv")]
    assert projections == [f"stage{stage}_block0_projection_conv" for stage in (1, 2, 3, 4)]


def test_first_stage_of_basic_blocks_needs_no_projection() -> None:
    model = build(ModelConfig(name="resnet18"), classes=15, image_size=32)
    assert not [layer for layer in model.layers if layer.name.startswith("stage1_block0_projection")]


def test_bottlenecks_stride_on_the_3x3(resnet50: keras.Model) -> None:
    strides = [resnet50.get_layer(f"stage3_block0_conv{part}").strides for part in (1, 2, 3)]
    assert strides == [(1, 1), (2, 2), (1, 1)]


def test_last_stage_sees_a_thirty_second_of_the_side(resnet50: keras.Model) -> None:
    assert resnet50.get_layer("stage4_block2_relu").output.shape == (None, 2, 2, 2048)


def test_every_trainable_variable_gets_a_gradient() -> None:
    model = build(ModelConfig(name="resnet18", dropout=0.5), classes=15, image_size=32)
    variables = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape, keyed_randomness(tf.constant([0, 0]), tf.constant(0), 2):
        loss = tf.reduce_sum(model(tf.random.stateless_uniform((2, 32, 32, 1), (0, 0)), training=True) ** 2)
    assert all(gradient is not None for gradient in tape.gradient(loss, variables))
