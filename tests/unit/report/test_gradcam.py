"""Grad-CAM: it points where a network looks, and nowhere where nothing speaks for a class."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.errors import UsageError
from trainer.model.registry import build
from trainer.report.gradcam import explained_layer, grad_cam

SIDE = 24
UPPER_LEFT, LOWER_RIGHT = (slice(3, 8), slice(3, 8)), (slice(15, 21), slice(14, 20))


class Window(keras.layers.Layer):
    """Two maps: the film seen through a window in the upper left, and through one in the lower right."""

    def call(self, films: Any) -> Any:
        windows = np.zeros((1, SIDE, SIDE, 2), np.float32)
        windows[0, *UPPER_LEFT, 0] = windows[0, *LOWER_RIGHT, 1] = 1.0
        return tf.reduce_mean(films, axis=-1, keepdims=True) * windows

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], 2)


@pytest.fixture(params=[1, 3], ids=["gray", "three channels"])
def looks_at_places(request: pytest.FixtureRequest) -> keras.Model:
    """Class 0 rises with the upper left, class 1 with the lower right; class 2 falls with both; 3 sees nothing."""
    films = keras.Input((SIDE, SIDE, request.param))
    pooled = keras.layers.GlobalAveragePooling2D()(Window()(films))
    head = keras.layers.Dense(4, use_bias=False)
    model = keras.Model(films, head(pooled))
    head.set_weights([np.array([[1, 0, -1, 0], [0, 1, -1, 0]], np.float32)])
    return model


def films_of(model: keras.Model, count: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).uniform(0.2, 1, (count, *model.inputs[0].shape[1:])), tf.float32)


@pytest.mark.parametrize(("chosen", "place"), [(0, UPPER_LEFT), (1, LOWER_RIGHT)])
def test_all_heat_lies_where_the_network_looks(
    looks_at_places: keras.Model, chosen: int, place: tuple[slice, slice]
) -> None:
    heat = grad_cam(looks_at_places, films_of(looks_at_places, 1), np.array([chosen])).heat[0]
    outside = heat.copy()
    outside[place] = 0
    assert heat.max() == pytest.approx(1.0)
    assert (heat[place] > 0).all()
    assert not outside.any()


def test_each_film_is_explained_for_a_class_of_its_own(looks_at_places: keras.Model) -> None:
    heat = grad_cam(looks_at_places, films_of(looks_at_places, 2), np.array([1, 0])).heat
    assert heat[0][LOWER_RIGHT].all()
    assert not heat[0][UPPER_LEFT].any()
    assert heat[1][UPPER_LEFT].all()
    assert not heat[1][LOWER_RIGHT].any()


@pytest.mark.parametrize("chosen", [2, 3], ids=["everything speaks against it", "nothing is looked at"])
def test_there_is_no_heat_where_nothing_raises_the_logit(looks_at_places: keras.Model, chosen: int) -> None:
    assert not grad_cam(looks_at_places, films_of(looks_at_places, 1), np.array([chosen])).heat.any()


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "simple_cnn"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_network_is_explained(name: str, channels: int) -> None:
    model = _network(name, channels=channels)
    maps = grad_cam(model, films_of(model, 2), np.array([0, 2]))
    assert maps.heat.shape == (2, 64, 64)
    assert np.isfinite(maps.heat).all()
    assert maps.heat.min() >= 0
    assert maps.heat.max() <= 1


def test_a_frozen_network_is_explained_as_if_it_were_not() -> None:
    model = _network("resnet18")
    # All three classes: what one of them looks at may speak against it everywhere, which is no heat.
    films, classes = films_of(model, 3), np.arange(3)
    before = grad_cam(model, films, classes).heat
    model.trainable = False
    assert np.array_equal(grad_cam(model, films, classes).heat, before)
    assert before.any()


def test_before_pooling_and_one_dense_layer_it_is_the_class_activation_map() -> None:
    """Zhou et al., CVPR 2016: there the mean gradient of a map is its weight in the head, over its cells."""
    model = _network("resnet18", side=224)
    layer = explained_layer(model)
    films = films_of(model, 1)
    maps = keras.Model(model.inputs, layer.output)(films, training=False).numpy()[0]
    activation = np.maximum(maps @ model.get_layer("head").kernel.numpy()[:, 1], 0)
    expected = tf.image.resize(activation[..., None], (224, 224), "bilinear").numpy()[..., 0]
    found = grad_cam(model, films, np.array([1]))
    assert found.cells == (7, 7)
    np.testing.assert_allclose(found.heat[0], expected / expected.max(), atol=1e-4)


@pytest.mark.parametrize(("side", "layer", "cells"), [(224, "stage4_block1_relu", 7), (64, "stage2_block1_relu", 8)])
def test_the_last_maps_that_say_where_are_looked_at(side: int, layer: str, cells: int) -> None:
    found = explained_layer(_network("resnet18", side=side))
    assert (found.name, found.output.shape[1]) == (layer, cells)


def test_a_network_without_maps_is_refused() -> None:
    films = keras.Input((8, 8, 1))
    model = keras.Model(films, keras.layers.Dense(2)(keras.layers.Flatten()(films)), name="flat")
    with pytest.raises(UsageError, match=r"model\.name: 'flat' has no layer with maps"):
        grad_cam(model, films_of(model, 1), np.array([0]))


def _network(name: str, *, side: int = 64, channels: int = 1) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build(ModelConfig(name=name, channels=channels), classes=3, image_size=side)
