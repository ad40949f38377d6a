"""Gradients by depth: of the kernels on the way through the blocks, with batch norm or without; picture and table."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from docs.draw.depth import Gradients, draw_gradients, table
from docs.draw.gradients import is_on_the_way, without_norm
from trainer.config import ModelConfig
from trainer.model.registry import build


@pytest.fixture(scope="module")
def residual() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build(ModelConfig(name="resnet34"), classes=15, image_size=32)


def test_depth_counts_the_convolutions_on_the_way_and_is_the_same_with_shortcuts_and_without(residual) -> None:
    plain = build(ModelConfig(name="plain34"), classes=15, image_size=32)
    ways = [
        [each.path for each in model.trainable_variables if is_on_the_way(each.path)] for model in (residual, plain)
    ]
    assert ways[0] == ways[1]
    assert len(ways[0]) == 33
    assert (ways[0][0], ways[0][1], ways[0][-1]) == (
        "stem_conv/kernel",
        "stage1_block0_conv1/kernel",
        "stage4_block2_conv2/kernel",
    )


def test_without_batch_norm_a_network_keeps_its_other_layers_and_passes_on_what_its_norms_get(residual) -> None:
    bare = without_norm(residual)
    kept = [each.path for each in residual.variables if "_norm" not in each.path]
    assert [each.path for each in bare.variables] == kept
    films = tf.random.stateless_uniform((2, 32, 32, 1), (0, 0))
    names = ("stage1_block0_conv1", "stage1_block0_relu1")
    conv, relu = keras.Model(bare.inputs, [bare.get_layer(each).output for each in names])(films, training=True)
    np.testing.assert_array_equal(relu, tf.nn.relu(conv))


MEASURED = [
    Gradients(name, shortcuts, norm, before=[4.0, 2.0, 1.0], after=[0.3, 0.2, 0.1], losses=[0.7, 0.5])
    for norm in (True, False)
    for name, shortcuts in (("resnet34", True), ("plain34", False))
]


def test_each_network_is_drawn_at_both_times_in_the_panel_of_its_norm() -> None:
    left, right = draw_gradients(MEASURED).axes
    for axes in (left, right):
        assert [list(each.get_ydata()) for each in axes.lines] == [[4.0, 2.0, 1.0], [0.3, 0.2, 0.1]] * 2
        assert axes.get_yscale() == "log"
    assert len({(each.get_color(), each.get_linestyle(), each.get_marker()) for each in left.lines}) == 4


def test_the_table_tells_the_first_the_middle_and_the_last_and_their_ratio() -> None:
    lines = table(MEASURED).splitlines()
    assert len(lines) == 2 + 2 * len(MEASURED)
    assert lines[2] == "| resnet34 | yes | first weights | 4 | 2 | 1 | 4 | 0.700 |"
    assert lines[9] == "| plain34 | no | after 2 steps | 0.3 | 0.2 | 0.1 | 3 | 0.500 |"
