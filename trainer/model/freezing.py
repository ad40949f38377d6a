"""Which layers of a network are trained: a frozen one works as in inference and costs no gradient."""

import keras

HEAD = ("pool", "dropout", "head_hidden", "head_dropout", "head")
"""Layers above the trunk, by name; they are always trained."""


def freeze(model: keras.Model, trained_layers: int) -> None:
    """Freezes the trunk but its last ``trained_layers`` layers; 0 freezes none."""
    trunk = [layer for layer in model.layers if layer.name not in HEAD]
    for layer in trunk[: len(trunk) - trained_layers] if trained_layers else []:
        layer.trainable = False


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """Batch norm's moving means and variances that training moves: those of layers that are not frozen."""
    return [each for layer in model.layers if layer.trainable for each in layer.non_trainable_variables]
