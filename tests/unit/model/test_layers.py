"""Batch norm equals Keras's, over ranks too; dropout depends on key and slot alone."""

import threading
from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import UsageError
from trainer.model.layers import Average, FusedBatchNormalization, KeyedDropout, keyed_randomness

CHANNELS = 5


@pytest.fixture(autouse=True)
def restored_policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def films(seed: int = 0, batch: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.7, 1.3, (batch, 6, 7, CHANNELS))


def weights() -> list[np.ndarray]:
    draw = np.random.default_rng(9).uniform(0.5, 1.5, (4, CHANNELS))
    return [draw[0], draw[1], draw[2], draw[3]]


def run(layer: keras.layers.Layer, x: np.ndarray, *, training: bool) -> list[np.ndarray]:
    """Output, gradients for input, gamma and beta, and the moving values after the call; all float64."""
    layer.build(x.shape)
    layer.set_weights(weights())
    x = tf.cast(x, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        wide = tf.cast(y, "float64")
        loss = tf.reduce_sum(
            wide * wide * tf.sin(tf.range(tf.size(wide), dtype="float64") + 1.0).numpy().reshape(y.shape)
        )
    gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    moving = [layer.moving_mean, layer.moving_variance]
    return [np.asarray(tf.cast(tf.convert_to_tensor(each), "float64")) for each in (y, *gradients, *moving)]


def assert_close(ours: list[np.ndarray], theirs: list[np.ndarray], tolerance: float) -> None:
    for name, our, their in zip(("y", "dx", "dgamma", "dbeta", "mean", "variance"), ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, rtol=tolerance, atol=tolerance * np.abs(their).max(), err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("float64", 1e-12), ("mixed_bfloat16", 4e-2)])
def test_batch_norm_equals_keras_forward_backward_and_in_moving_values(
    policy: str, tolerance: float, training: bool
) -> None:
    keras.config.set_dtype_policy(policy)
    ours = run(FusedBatchNormalization(), films(), training=training)
    assert_close(ours, run(keras.layers.BatchNormalization(), films(), training=training), tolerance)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_frozen_batch_norm_equals_keras_and_keeps_its_moving_values(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    ours = run(FusedBatchNormalization(trainable=False), films(), training=True)
    assert_close(ours, run(keras.layers.BatchNormalization(trainable=False), films(), training=True), 4e-2)
    np.testing.assert_allclose(ours[4:], weights()[2:], rtol=1e-6)


def test_moving_variance_is_that_of_the_biased_moments_even_of_two_values() -> None:
    layer = FusedBatchNormalization(momentum=0.0)
    layer(tf.constant([[[[1.0]]], [[[3.0]]]]), training=True)
    np.testing.assert_allclose(layer.moving_variance.numpy(), [1.0], rtol=1e-6)


def test_weights_have_the_order_shapes_and_values_of_keras() -> None:
    ours, theirs = FusedBatchNormalization(), keras.layers.BatchNormalization()
    for layer in (ours, theirs):
        layer.build((None, 6, 7, CHANNELS))
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [w.trainable for w in ours.weights] == [w.trainable for w in theirs.weights]
    np.testing.assert_array_equal(ours.get_weights(), theirs.get_weights())


@pytest.mark.parametrize(("policy", "dtype"), [("mixed_bfloat16", "float32"), ("float64", "float64")])
def test_batch_norm_keeps_wide_variables(policy: str, dtype: str) -> None:
    keras.config.set_dtype_policy(policy)
    layer = FusedBatchNormalization()
    layer.build((None, 6, 7, CHANNELS))
    assert {w.dtype for w in layer.weights} == {dtype}


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("float64", 1e-12), ("mixed_bfloat16", 4e-2)])
def test_synchronised_moments_of_one_rank_are_the_local_ones(policy: str, tolerance: float) -> None:
    keras.config.set_dtype_policy(policy)
    alone = FusedBatchNormalization(average=lambda tensor, _name: tensor)
    assert_close(run(alone, films(), training=True), run(FusedBatchNormalization(), films(), training=True), tolerance)


def test_synchronised_moments_survive_a_mean_far_from_zero() -> None:
    layer = FusedBatchNormalization(momentum=0.0, average=lambda tensor, _name: tensor)
    far = films() + 4000.0
    layer(tf.constant(far, tf.float32), training=True)
    np.testing.assert_allclose(layer.moving_variance.numpy(), far.var(axis=(0, 1, 2)), rtol=1e-3)


class Meeting:
    """Two ranks in two threads that average tensors, forward and backward, as an allreduce does."""

    def __init__(self) -> None:
        self.barrier, self.brought = threading.Barrier(2, timeout=60), [None, None]

    def average(self, rank: int) -> Average:
        def mean(tensor: tf.Tensor) -> tf.Tensor:
            self.brought[rank] = tensor
            self.barrier.wait()
            result = (self.brought[0] + self.brought[1]) / 2
            self.barrier.wait()
            return result

        return lambda tensor, _name: tf.custom_gradient(lambda t: (mean(t), mean))(tensor)


def test_two_synchronised_ranks_equal_one_of_the_joint_batch() -> None:
    meeting, whole = Meeting(), films(batch=4)
    halves: dict[int, list[np.ndarray]] = {}

    def gradient_of_cubes(layer: keras.layers.Layer, x: np.ndarray) -> list[np.ndarray]:
        layer.build(x.shape)
        layer.set_weights(weights())
        with tf.GradientTape() as tape:
            x = tf.constant(x)
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y**3)
        gradients = tape.gradient(loss, [x, layer.gamma.value])
        return [np.asarray(each) for each in (y, *gradients, layer.moving_mean, layer.moving_variance)]

    def rank(index: int) -> None:
        layer = FusedBatchNormalization(average=meeting.average(index), dtype="float64")
        halves[index] = gradient_of_cubes(layer, whole[2 * index : 2 * index + 2])

    threads = [threading.Thread(target=rank, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = halves[0], halves[1]
    joined = [np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]]), first[2] + second[2]]
    for ours, theirs in zip(
        [*joined, *second[3:]], gradient_of_cubes(keras.layers.BatchNormalization(dtype="float64"), whole), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def drop(first_slot: int, batch: int, seed: int = 1) -> np.ndarray:
    with keyed_randomness(tf.constant([seed, 2]), tf.constant(first_slot), 8):
        return KeyedDropout(0.4, name="dropout")(tf.ones((batch, 50)), training=True).numpy()


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_every_film_loses_the_same_features_when_ranks_change(ranks: int) -> None:
    share = 8 // ranks
    parts = [drop(rank * share, share) for rank in range(ranks)]
    np.testing.assert_array_equal(np.concatenate(parts), drop(0, 8))


def test_dropout_differs_between_keys_and_between_slots() -> None:
    assert (drop(0, 8, seed=1) != drop(0, 8, seed=2)).any()
    assert len(np.unique(drop(0, 8), axis=0)) == 8


def test_dropout_keeps_the_expected_part_and_scales_it() -> None:
    dropped = drop(0, 8)
    np.testing.assert_allclose(np.unique(dropped), [0.0, 1.0 / 0.6], rtol=1e-6)
    assert (dropped == 0).mean() == pytest.approx(0.4, abs=0.1)


def test_dropout_draws_anew_each_time_a_traced_step_gets_a_new_key() -> None:
    layer = KeyedDropout(0.4, name="dropout")

    @tf.function
    def step(seed: tf.Tensor, first_slot: tf.Tensor) -> tf.Tensor:
        with keyed_randomness(seed, first_slot, 8):
            return layer(tf.ones((4, 50)), training=True)

    for seed, first_slot in ((1, 0), (1, 4), (7, 4)):
        traced = step(tf.constant([seed, 2]), tf.constant(first_slot))
        np.testing.assert_array_equal(traced, drop(first_slot, 4, seed))
    assert step.experimental_get_tracing_count() == 1


def test_dropout_is_the_identity_in_inference() -> None:
    np.testing.assert_array_equal(KeyedDropout(0.4, name="dropout")(tf.ones((2, 3)), training=False), np.ones((2, 3)))


def without_key() -> None:
    KeyedDropout(0.4, name="dropout")(tf.ones((2, 3)), training=True)


def after_the_context() -> None:
    drop(0, 8)
    without_key()


@pytest.mark.parametrize("call", [without_key, after_the_context])
def test_dropout_without_a_key_says_what_to_do(call: Callable[[], None]) -> None:
    with pytest.raises(UsageError, match="inside keyed_randomness"):
        call()


def test_slots_beyond_the_global_batch_are_refused() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        drop(6, 4)
