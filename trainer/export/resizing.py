"""``trainer.data.film.images.resize`` as TensorFlow operations, to the bit: films of any size to those a set stores.

It follows Pillow's ``Image.resize(BILINEAR, reducing_gap=2.0)`` (src/libImaging/Reduce.c and Resample.c): whole pixels
are averaged first, in integers; then a triangle filter along each row and each column, with weights of 22 bits,
rounded to a byte after each. Sums of such products are exact in float64, whatever their order.
"""

import tensorflow as tf

REDUCING_GAP = 2
"""What is left to the triangle filter after pixels are averaged: at least so many of them for each that is stored."""

WEIGHT_BITS = 22
AVERAGE_BITS = 24


def resize(films: tf.Tensor, side: int) -> tf.Tensor:
    """uint8 [films, height, width, 1] padded with black to squares, and scaled: uint8 [films, side, side, 1]."""
    square = _padded(films[..., 0])
    pixels = tf.shape(square)[1]
    factor = tf.maximum(pixels // (REDUCING_GAP * side), 1)
    weights = _weights(pixels, factor, side)
    rows = _to_bytes(tf.matmul(_averaged(square, pixels, factor), weights, transpose_b=True))
    return tf.cast(_to_bytes(tf.matmul(weights, rows)), tf.uint8)[..., tf.newaxis]


def _padded(films: tf.Tensor) -> tf.Tensor:
    height, width = tf.shape(films)[1], tf.shape(films)[2]
    missing = tf.maximum(height, width) - tf.stack([height, width])
    before = missing // 2
    return tf.pad(films, tf.concat([[[0, 0]], tf.stack([before, missing - before], axis=1)], axis=0))


def _averaged(square: tf.Tensor, pixels: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """float64 [films, blocks, blocks]: means of blocks of ``factor`` by ``factor`` pixels, the last ones cut short."""
    blocks = -(-pixels // factor)
    fill = blocks * factor - pixels
    whole = tf.pad(square, [[0, 0], [0, fill], [0, fill]])
    parts = tf.reshape(tf.cast(whole, tf.int32), [-1, blocks, factor, blocks, factor])
    sums = tf.cast(tf.reduce_sum(parts, axis=[2, 4]), tf.int64)
    size = tf.cast(tf.minimum(pixels - tf.range(blocks) * factor, factor), tf.int64)
    count = size[:, tf.newaxis] * size
    means = (sums + count // 2) * (2**AVERAGE_BITS // count) // 2**AVERAGE_BITS
    return tf.cast(means, tf.float64)


def _weights(pixels: tf.Tensor, factor: tf.Tensor, side: int) -> tf.Tensor:
    """float64 [side, blocks], whole numbers: of each averaged pixel in each stored one, times 2 ** WEIGHT_BITS."""
    # Pillow hands the size over as a float32.
    size = tf.cast(tf.cast(pixels / factor, tf.float32), tf.float64)
    scale = size / side
    centers = (tf.range(side, dtype=tf.float64) + 0.5) * scale
    places = tf.cast(tf.range(-(-pixels // factor)), tf.float64)
    distance = (places - centers[:, tf.newaxis] + 0.5) * (1.0 / tf.maximum(scale, 1.0))
    triangle = tf.nn.relu(1.0 - tf.abs(distance))
    parts = triangle / tf.reduce_sum(triangle, axis=1, keepdims=True)
    return tf.floor(0.5 + parts * 2**WEIGHT_BITS)


def _to_bytes(sums: tf.Tensor) -> tf.Tensor:
    """float64, whole numbers 0 to 255, of sums of weighted pixels."""
    return tf.clip_by_value(tf.floor((sums + 2 ** (WEIGHT_BITS - 1)) / 2**WEIGHT_BITS), 0.0, 255.0)
