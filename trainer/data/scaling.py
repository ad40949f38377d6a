"""From stored films to the network's input: scaled to 0 to 1, normalised, in as many channels as it takes."""

from collections.abc import Sequence

import tensorflow as tf


def scale(images: tf.Tensor) -> tf.Tensor:
    """uint8 films, 0 to 255, as float32, 0 to 1; any shape."""
    return tf.cast(images, tf.float32) / 255.0


def normalise(images: tf.Tensor, mean: Sequence[float], deviation: Sequence[float]) -> tf.Tensor:
    """Gray films float [batch, height, width, 1], less the mean and divided by the deviation of each input channel.

    Gives [batch, height, width, len(mean)]; a network's first layer pads with 0, so with the mean.
    """
    if not any(mean) and set(deviation) == {1.0}:
        return images if len(mean) == 1 else tf.repeat(images, len(mean), axis=-1)
    return (images - tf.constant(mean, images.dtype)) / tf.constant(deviation, images.dtype)
