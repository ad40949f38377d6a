"""Which layers of a network are trained, and from when: a frozen one works as in inference and costs no gradient."""

from collections.abc import Mapping

import keras

from trainer.config import ModelConfig

_ABOVE_THE_TRUNK = ("pool", "dropout", "head_hidden", "head_dropout", "head")


def first_epochs(model: keras.Model, config: ModelConfig) -> Mapping[str, int]:
    """The epoch (from 0) from which each layer is trained, by its name; a layer that never is has no entry.

    The head is trained from the first on, of the trunk the last ``trained_layers`` layers (0: all), and every
    ``unfreeze_every_epochs`` epochs the next ``unfreeze_layers`` below them.
    """
    trunk = [layer.name for layer in model.layers if layer.name not in _ABOVE_THE_TRUNK]
    found = {layer.name: 0 for layer in model.layers if layer.name in _ABOVE_THE_TRUNK}
    trained = config.trained_layers or len(trunk)
    for place, name in enumerate(reversed(trunk)):
        if place < trained:
            found[name] = 0
        elif config.unfreeze_every_epochs:
            found[name] = config.unfreeze_every_epochs * -(-(place + 1 - trained) // config.unfreeze_layers)
    return found


def freeze(model: keras.Model, first: Mapping[str, int], epoch: int) -> bool:
    """Freezes the layers that are not trained in that epoch, and no others; whether that changed anything."""
    changed = False
    for layer in model.layers:
        trained = layer.name in first and first[layer.name] <= epoch
        changed |= layer.trainable != trained
        layer.trainable = trained
    return changed


def is_head(path: str) -> bool:
    """Whether a variable, by its path, lies above the trunk."""
    return path.split("/")[0] in _ABOVE_THE_TRUNK


def moving_statistics(model: keras.Model) -> list[keras.Variable]:
    """Batch norm's moving means and variances that training moves: those of layers that are not frozen."""
    return [each for layer in model.layers if layer.trainable for each in layer.non_trainable_variables]
