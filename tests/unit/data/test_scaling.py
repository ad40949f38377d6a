"""Films as the network gets them: scaled, normalised, in as many channels as its weights need."""

import numpy as np
import tensorflow as tf

from trainer.data.scaling import normalise, scale


def test_films_are_scaled_to_0_to_1() -> None:
    assert scale(tf.constant([0, 51, 255], tf.uint8)).numpy().tolist() == [0.0, np.float32(0.2), 1.0]


def test_gray_films_are_repeated_for_weights_that_need_three_channels() -> None:
    gray = tf.random.stateless_uniform([2, 4, 4, 1], [0, 0])
    assert np.array_equal(normalise(gray, [0.0] * 3, [1.0] * 3), np.repeat(gray, 3, axis=-1))
    assert normalise(gray, [0.0], [1.0]) is gray


def test_each_channel_has_a_mean_and_a_deviation_of_its_own() -> None:
    gray = tf.fill([1, 2, 2, 1], 0.5)
    assert normalise(gray, [0.5, 0.25, 0.0], [1.0, 0.5, 0.25])[0, 0, 0].numpy().tolist() == [0.0, 0.5, 2.0]
