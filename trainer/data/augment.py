"""Random changes to training films, drawn and applied on the device.

What is drawn depends on the key and the film's slot in the global batch only, never on the rank that holds it.
"""

import math

import tensorflow as tf

from trainer.config import AugmentConfig

_DRAWS = 7
"""Shift in x and y, scale, rotation, brightness, contrast, flip."""


def augment(
    images: tf.Tensor, config: AugmentConfig, *, key: tf.Tensor, first_slot: tf.Tensor, global_batch_size: int
) -> tf.Tensor:
    """Changed films, float32 [batch, height, width, 1] in 0 to 1, from the same.

    Args:
        images: float32 [batch, height, width, 1] in 0 to 1: slots ``first_slot`` and on of the global batch.
        config: the largest changes.
        key: int32 [2] for this batch.
        first_slot: scalar int32.
        global_batch_size: draws are made for all slots, so that every rank sees the same ones.
    """
    if not config.enabled:
        return images
    every = tf.random.stateless_uniform([global_batch_size, _DRAWS], key, minval=-1.0, maxval=1.0)
    draws = tf.slice(every, [first_slot, 0], [tf.shape(images)[0], _DRAWS])
    shift_x, shift_y, scale, turn, brightness, contrast, flip = tf.unstack(draws, axis=1)
    side = tf.cast(tf.shape(images)[1], tf.float32)
    moved = _warp(
        images,
        angle=turn * math.radians(config.rotation_degrees),
        zoom=1.0 + scale * config.scale,
        shift=(shift_x * config.shift * side, shift_y * config.shift * side),
        mirror=tf.where(flip < 0.0, -1.0, 1.0) if config.horizontal_flip else tf.ones_like(flip),
    )
    gain = _per_film(1.0 + contrast * config.contrast)
    offset = _per_film(brightness * config.brightness)
    return tf.clip_by_value((moved - 0.5) * gain + 0.5 + offset, 0.0, 1.0)


def _warp(
    images: tf.Tensor, *, angle: tf.Tensor, zoom: tf.Tensor, shift: tuple[tf.Tensor, tf.Tensor], mirror: tf.Tensor
) -> tf.Tensor:
    """Rotates and scales about the centre, then shifts; bilinear, black where nothing was.

    The eight numbers a film map an output pixel (x, y) to the input's: x' = a0 x + a1 y + a2, y' = b0 x + b1 y + b2.
    """
    size = tf.shape(images)[1:3]
    center_y, center_x = (tf.cast(size[0], tf.float32) - 1.0) / 2.0, (tf.cast(size[1], tf.float32) - 1.0) / 2.0
    cosine, sine = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    a0, a1, b0, b1 = mirror * cosine, -mirror * sine, sine, cosine
    x, y = center_x + shift[0], center_y + shift[1]
    a2, b2 = center_x - a0 * x - a1 * y, center_y - b0 * x - b1 * y
    nothing = tf.zeros_like(a0)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([a0, a1, a2, b0, b1, b2, nothing, nothing], axis=1),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _per_film(values: tf.Tensor) -> tf.Tensor:
    return values[:, None, None, None]
