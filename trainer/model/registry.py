"""The networks by name. A new one is a builder in a file of its own and a line in BUILDERS."""

from collections.abc import Callable, Mapping
from difflib import SequenceMatcher
from functools import partial

import keras

from trainer.config import ModelConfig
from trainer.errors import UsageError
from trainer.model.layers import Average
from trainer.model.plain import plain_block
from trainer.model.resnet import basic_block, bottleneck_block, resnet
from trainer.model.simple_cnn import simple_cnn

Builder = Callable[[ModelConfig, int, int, Average | None], keras.Model]
"""(config, classes, image size in pixels, batch norm's mean over ranks) -> model from films to logits"""

BUILDERS: Mapping[str, Builder] = {
    "resnet18": partial(resnet, block=basic_block, depths=(2, 2, 2, 2)),
    "resnet34": partial(resnet, block=basic_block, depths=(3, 4, 6, 3)),
    "resnet50": partial(resnet, block=bottleneck_block, depths=(3, 4, 6, 3)),
    "resnet101": partial(resnet, block=bottleneck_block, depths=(3, 4, 23, 3)),
    "resnet152": partial(resnet, block=bottleneck_block, depths=(3, 8, 36, 3)),
    "plain18": partial(resnet, block=plain_block, depths=(2, 2, 2, 2)),
    "plain34": partial(resnet, block=plain_block, depths=(3, 4, 6, 3)),
    "simple_cnn": simple_cnn,
}


def names() -> tuple[str, ...]:
    """The values that ``model.name`` can take."""
    return tuple(BUILDERS)


def build(config: ModelConfig, *, classes: int, image_size: int, average: Average | None = None) -> keras.Model:
    """The network ``config.name``, in Keras's global dtype policy, with new weights from Keras's global seed.

    Args:
        config: of the network.
        classes: logits a film gets.
        image_size: height and width of the films, pixels.
        average: mean over ranks, used where ``config.sync_batch_norm``; None: moments are this rank's own.

    Returns:
        From scaled films, float [batch, image_size, image_size, config.channels], to logits, [batch, classes],
        float32 (float64 under the float64 policy).

    Raises:
        UsageError: the name is not known, or the films are too small for the network.
    """
    if config.name not in BUILDERS:
        known = ", ".join(sorted(BUILDERS, key=partial(_distance, config.name)))
        raise UsageError("model.name", config.name, "is not a model", f"choose one of {known}")
    return BUILDERS[config.name](config, classes, image_size, average if config.sync_batch_norm else None)


def _distance(wanted: str, name: str) -> float:
    return 1.0 - SequenceMatcher(None, wanted, name).ratio()
