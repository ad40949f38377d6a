"""A trained network built anew of layers that plain Keras has, from stored films to probabilities, with its weights."""

from collections.abc import Callable, Mapping
from typing import Any

import keras

from trainer.config import ModelConfig
from trainer.errors import DataError
from trainer.model.layers import FusedBatchNormalization, KeyedDropout
from trainer.model.layout import input_scaling

_LARGEST_BYTE = 255.0


def stock_model(trained: keras.Model, config: ModelConfig, image_size: int) -> keras.Model:
    """From films as a set stores them, uint8 [films, image_size, image_size, 1], to probabilities [films, classes].

    Scaling and channels are inside. In inference it computes what the trained network does, but for rounding.
    Raises DataError for a layer that Keras does not have.
    """
    films = keras.Input((image_size, image_size, 1), dtype="uint8", name="films")
    made = {id(trained.inputs[0]): _scaled(films, config)}
    twins = {}
    for layer in trained.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            twins[layer.name] = _twin(layer)
            given = layer.input
            inputs = [made[id(each)] for each in given] if isinstance(given, list) else made[id(given)]
            made[id(layer.output)] = twins[layer.name](inputs)
    logits = made[id(trained.outputs[0])]
    stock = keras.Model(films, keras.layers.Activation("sigmoid", name="probabilities")(logits), name=trained.name)
    for name, twin in twins.items():
        twin.set_weights(trained.get_layer(name).get_weights())
    return stock


def _scaled(films: Any, config: ModelConfig) -> Any:
    mean, deviation = input_scaling(config)
    x = keras.layers.Rescaling(1.0 / _LARGEST_BYTE, name="scale")(films)
    if len(mean) > 1:
        x = keras.layers.Concatenate(name="channels")([x] * len(mean))
    if any(mean) or set(deviation) != {1.0}:
        scale = [1.0 / each for each in deviation]
        offset = [-each / part for each, part in zip(mean, deviation, strict=True)]
        x = keras.layers.Rescaling(scale, offset, name="normalise")(x)
    return x


def _batch_normalization(layer: FusedBatchNormalization) -> keras.layers.Layer:
    return keras.layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.epsilon, name=layer.name)


def _dropout(layer: KeyedDropout) -> keras.layers.Layer:
    return keras.layers.Dropout(layer.rate, name=layer.name)


_TWINS: Mapping[type, Callable[[Any], keras.layers.Layer]] = {
    FusedBatchNormalization: _batch_normalization,
    KeyedDropout: _dropout,
}


def _twin(layer: keras.layers.Layer) -> keras.layers.Layer:
    if type(layer) in _TWINS:
        return _TWINS[type(layer)](layer)
    if not type(layer).__module__.startswith("keras."):
        rule = "is a layer that plain Keras does not have"
        raise DataError("export", type(layer).__name__, rule, "say in trainer/export/stock.py what stands for it")
    return type(layer).from_config(layer.get_config())
