"""From stored films to the network's input: scaled to 0 to 1, in as many channels as its weights need."""

import tensorflow as tf


def scale(images: tf.Tensor) -> tf.Tensor:
    """uint8 films, 0 to 255, as float32, 0 to 1; any shape."""
    return tf.cast(images, tf.float32) / 255.0


def as_channels(images: tf.Tensor, channels: int) -> tf.Tensor:
    """Gray films [batch, height, width, 1] repeated to ``channels``."""
    return images if channels == 1 else tf.repeat(images, channels, axis=-1)
