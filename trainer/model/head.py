"""From a trunk's features to logits: dropout, an optional hidden layer, one output a class."""

from typing import Any

import keras

from trainer.config import ModelConfig
from trainer.model.layers import KeyedDropout


def head(features: Any, config: ModelConfig, classes: int) -> Any:
    """Logits [batch, classes] of features [batch, width]; both in the variable dtype, float32 under mixed policies.

    Pooling and head stay wide because they cost nothing, and eight bits of logit would.
    """
    wide = keras.config.dtype_policy().variable_dtype
    x = features
    if config.dropout:
        x = KeyedDropout(config.dropout, dtype=wide, name="dropout")(x)
    if config.hidden_units:
        x = keras.layers.Dense(config.hidden_units, activation="relu", dtype=wide, name="head_hidden")(x)
        if config.hidden_dropout:
            x = KeyedDropout(config.hidden_dropout, dtype=wide, name="head_dropout")(x)
    return keras.layers.Dense(classes, dtype=wide, name="head")(x)
