"""The small network of the notebook: two convolutions and a wide hidden layer, a baseline that trains in minutes."""

from typing import Any

import keras

from trainer.config import ModelConfig
from trainer.errors import UsageError
from trainer.model.head import head
from trainer.model.layers import Average

SMALLEST_IMAGE = 10
"""Pixels a side that leave one after two 3x3 'valid' convolutions and two poolings."""


def simple_cnn(config: ModelConfig, classes: int, image_size: int, _average: Average | None) -> keras.Model:
    """Two blocks of convolution and pooling (32 and 64 filters), a hidden layer of 512, a head.

    Takes scaled films, float [batch, image_size, image_size, config.channels]; gives logits, [batch, classes],
    float32 also under mixed policies (float64 under float64). There is no batch norm to average over ranks.
    Raises UsageError on films too small to pool twice.
    """
    if image_size < SMALLEST_IMAGE:
        raise UsageError(
            "model.name",
            config.name,
            f"needs films of {SMALLEST_IMAGE} pixels a side, these have {image_size}",
            "prepare the films with a larger prepare.image_size",
        )
    wide = keras.config.dtype_policy().variable_dtype
    films = keras.Input((image_size, image_size, config.channels), dtype=wide, name="films")

    # ---- Trunk ----
    x = _conv_pool(films, "block1", 32, use_bias=config.conv_bias)
    x = _conv_pool(x, "block2", 64, use_bias=config.conv_bias)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(512, activation="relu", name="hidden")(x)

    # ---- Head ----
    return keras.Model(films, head(x, config, classes), name=config.name)


def _conv_pool(x: Any, prefix: str, filters: int, *, use_bias: bool) -> Any:
    x = keras.layers.Conv2D(filters, 3, activation="relu", use_bias=use_bias, name=f"{prefix}_conv")(x)
    return keras.layers.MaxPooling2D(2, name=f"{prefix}_pool")(x)
