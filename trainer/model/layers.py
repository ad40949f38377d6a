"""Layers that Keras lacks: batch norm that is fused or averaged over ranks, and dropout that no rank can change."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from trainer.errors import UsageError

# With its filter on, Keras turns a CxrError that is raised inside a layer into a RuntimeError with a traceback.
keras.config.disable_traceback_filtering()

Average = Callable[[tf.Tensor, str], tf.Tensor]
"""(tensor, name unique in the model) -> its mean over all ranks, differentiable."""


class FusedBatchNormalization(keras.layers.Layer):
    """Batch normalisation (Ioffe and Szegedy, 2015) over batch, height and width; fused, which Keras 3's is not.

    Takes and gives [batch, height, width, channels] in the compute dtype. Variables, in the order, shapes and
    defaults of ``keras.layers.BatchNormalization``: gamma, beta, moving_mean, moving_variance, each [channels] in
    the variable dtype (float32 under mixed policies). The moving ones are assigned in ``call``, from this rank's
    films alone unless ``average`` is given. A layer that is not trainable works as in inference.

    Args:
        momentum: the part of a moving value that one training call keeps.
        epsilon: added to the variance.
        average: mean over ranks; given, the moments are those of the films of all ranks, which must be as many
            on each.
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(
        self, *, momentum: float = 0.99, epsilon: float = 1e-3, average: Average | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.momentum, self.epsilon, self.average = momentum, epsilon, average
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the four variables, [channels]."""
        self.gamma = self._channel_weight("gamma", "ones", input_shape[-1], trainable=True)
        self.beta = self._channel_weight("beta", "zeros", input_shape[-1], trainable=True)
        self.moving_mean = self._channel_weight("moving_mean", "zeros", input_shape[-1], trainable=False)
        self.moving_variance = self._channel_weight("moving_variance", "ones", input_shape[-1], trainable=False)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape that came in."""
        return input_shape

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Normalise with the batch's moments in training, with the moving ones otherwise."""
        # The fused kernels know no float64 and cannot be given moments to train with.
        fused = self.average is None and self.compute_dtype != "float64"
        if not (training and self.trainable):
            return self._normalise(x, self.moving_mean, self.moving_variance, fused=fused)
        normalised, mean, variance = self._train_fused(x) if fused else self._train_by_moments(x)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance)
        return normalised

    def _channel_weight(self, name: str, initializer: str, channels: int | None, *, trainable: bool) -> Any:
        return self.add_weight(
            name=name, shape=(channels,), initializer=initializer, trainable=trainable, autocast=False
        )

    def _train_fused(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        normalised, mean, unbiased_variance = tf.compat.v1.nn.fused_batch_norm(
            x, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), epsilon=self.epsilon, is_training=True
        )
        count = tf.cast(tf.size(x) // x.shape[-1], unbiased_variance.dtype)
        return normalised, mean, unbiased_variance * ((count - 1) / count)

    def _train_by_moments(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        wide = tf.cast(x, self.variable_dtype)
        mean = self._mean_over_ranks(wide, "mean")
        # Squares are taken around the mean of all ranks: a mean of squares less a squared mean would cancel.
        variance = self._mean_over_ranks(tf.square(wide - mean), "variance")
        return self._normalise(wide, mean, variance, fused=False), mean, variance

    def _mean_over_ranks(self, wide: tf.Tensor, moment: str) -> tf.Tensor:
        local = tf.reduce_mean(wide, axis=(0, 1, 2))
        return local if self.average is None else self.average(local, f"{self.path}/{moment}")

    def _normalise(self, x: tf.Tensor, mean: Any, variance: Any, *, fused: bool) -> tf.Tensor:
        gamma, beta, mean, variance = (tf.convert_to_tensor(v) for v in (self.gamma, self.beta, mean, variance))
        if fused:
            return tf.compat.v1.nn.fused_batch_norm(
                x, gamma, beta, mean, variance, epsilon=self.epsilon, is_training=False
            )[0]
        wide = tf.cast(x, self.variable_dtype)
        normalised = tf.nn.batch_normalization(wide, mean, variance, beta, gamma, self.epsilon)
        return tf.cast(normalised, self.compute_dtype)

    def _move(self, moving: Any, value: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


class _Randomness(NamedTuple):
    seed: tf.Tensor
    first_slot: tf.Tensor
    global_batch_size: int


_RANDOMNESS: ContextVar[_Randomness | None] = ContextVar("keyed_randomness", default=None)


@contextmanager
def keyed_randomness(seed: tf.Tensor, first_slot: tf.Tensor, global_batch_size: int) -> Iterator[None]:
    """Where a training model is called: gives its dropout the key and the slots of this rank's films.

    Args:
        seed: int32 [2], the key; equal on all ranks, new each step.
        first_slot: int32 scalar, slot in the global batch of the first film in the call; the others follow.
        global_batch_size: slots in the global batch.
    """
    token = _RANDOMNESS.set(_Randomness(seed, first_slot, global_batch_size))
    try:
        yield
    finally:
        _RANDOMNESS.reset(token)


class KeyedDropout(keras.layers.Layer):
    """Dropout (Srivastava et al., 2014) of [batch, features] whose mask is a function of key and global slot alone.

    So a film loses the same features however many ranks share the batch. Layers of different names draw different
    masks. Raises UsageError in training outside ``keyed_randomness``.

    Args:
        rate: the part of the features that is dropped, 0 <= rate < 1; the others are scaled by 1 / (1 - rate).
        **kwargs: of ``keras.layers.Layer``.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape that came in."""
        return input_shape

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Drop in training; the identity otherwise."""
        return tf.where(self._kept(x), x / (1.0 - self.rate), tf.zeros_like(x)) if training else x

    def _kept(self, x: tf.Tensor) -> tf.Tensor:
        randomness = _RANDOMNESS.get()
        if randomness is None:
            raise UsageError(
                "model.dropout",
                self.rate,
                "has no key to draw its mask from",
                "call the model in training inside keyed_randomness(seed, first_slot, global_batch_size)",
            )
        seed = tf.bitwise.bitwise_xor(randomness.seed, tf.constant([zlib.crc32(self.name.encode()) >> 1, 0], tf.int32))
        # Drawn for the whole batch and then cut, by the one generator that gives the same numbers on CPU and GPU.
        uniform = tf.random.stateless_uniform((randomness.global_batch_size, x.shape[-1]), seed, alg="philox")
        return tf.slice(uniform, (randomness.first_slot, 0), tf.shape(x)) >= self.rate
