"""AdamW equals Keras's, decays matrices only, and the rate takes its course."""

import math
from collections.abc import Mapping
from itertools import pairwise

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from trainer.config import OptimizerConfig, ScheduleConfig
from trainer.optimizer import AdamW, base_learning_rate, learning_rate

Arrays = dict[str, npt.NDArray[np.float32]]

SHAPES = {"conv/kernel": (3, 3, 2, 4), "conv/bias": (4,), "norm/gamma": (4,), "head/kernel": (8, 3), "head/bias": (3,)}
NOT_DECAYED = ["conv/bias", "norm/gamma", "head/bias"]


def drawn(seed: int) -> Arrays:
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def variables(values: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, tf.Variable]:
    return {name: tf.Variable(value) for name, value in values.items()}


def after(steps: int, config: OptimizerConfig, gradients: list[Arrays]) -> tuple[dict[str, tf.Variable], AdamW]:
    ours = variables(drawn(0))
    optimizer = AdamW(ours, config)
    apply = tf.function(optimizer.apply)
    for step in range(steps):
        apply([tf.constant(each) for each in gradients[step].values()], tf.constant(config.learning_rate))
    return ours, optimizer


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("beta_1", [0.9, 0.5])
def test_ten_updates_equal_keras_adamw(weight_decay: float, beta_1: float) -> None:
    config = OptimizerConfig(learning_rate=0.05, weight_decay=weight_decay, beta_1=beta_1, beta_2=0.99, epsilon=1e-6)
    gradients = [drawn(seed) for seed in range(1, 11)]
    theirs = {name: keras.Variable(value, name=name.replace("/", "_")) for name, value in drawn(0).items()}
    reference = keras.optimizers.AdamW(
        learning_rate=0.05, weight_decay=weight_decay, beta_1=beta_1, beta_2=0.99, epsilon=1e-6
    )
    reference.exclude_from_weight_decay(var_list=[theirs[name] for name in NOT_DECAYED])
    for each in gradients:
        reference.apply_gradients([(tf.constant(each[name]), theirs[name]) for name in SHAPES])
    ours, _ = after(10, config, gradients)
    for name in SHAPES:
        np.testing.assert_allclose(ours[name].numpy(), theirs[name].numpy(), rtol=1e-6, atol=1e-6, err_msg=name)


def test_only_variables_of_two_dimensions_and_more_are_decayed() -> None:
    nothing = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}
    decayed, _ = after(1, OptimizerConfig(learning_rate=0.1, weight_decay=0.5), [nothing])
    for name, before in drawn(0).items():
        factor = 1.0 if name in NOT_DECAYED else 1.0 - 0.1 * 0.5
        np.testing.assert_allclose(decayed[name].numpy(), before * np.float32(factor), rtol=1e-6, err_msg=name)


def test_the_state_holds_both_moments_of_every_variable_and_the_count() -> None:
    _, optimizer = after(3, OptimizerConfig(beta_1=0.5), [drawn(1)] * 3)
    state = optimizer.state()
    assert set(state) == {f"{name}/{moment}" for name in SHAPES for moment in "mv"} | {"updates"}
    assert int(state["updates"].numpy()) == 3
    np.testing.assert_allclose(state["head/kernel/m"].numpy(), drawn(1)["head/kernel"] * (1 - 0.5**3), rtol=1e-5)


def test_an_optimizer_goes_on_from_its_state_as_if_never_stopped() -> None:
    config, gradients = OptimizerConfig(learning_rate=0.05), [drawn(seed) for seed in range(1, 7)]
    whole, _ = after(6, config, gradients)
    half, stopped = after(3, config, gradients)
    resumed = AdamW(half, config)
    for name, variable in resumed.state().items():
        variable.assign(stopped.state()[name])
    for each in gradients[3:]:
        resumed.apply([tf.constant(value) for value in each.values()], tf.constant(0.05))
    for name in SHAPES:
        np.testing.assert_array_equal(half[name].numpy(), whole[name].numpy())


def test_a_float64_variable_is_updated_in_float64() -> None:
    variable = tf.Variable(np.array([1.0], np.float64))
    AdamW({"bias": variable}, OptimizerConfig(epsilon=1e-12)).apply(
        [tf.constant([0.3], tf.float64)], tf.constant(1e-4, tf.float64)
    )
    assert variable.numpy()[0] == pytest.approx(1.0 - 1e-4, abs=1e-12)


@pytest.mark.parametrize(("scaling", "factor"), [("none", 1.0), ("sqrt", 2.0), ("linear", 4.0)])
def test_the_rate_is_scaled_with_the_batch_as_asked(scaling: str, factor: float) -> None:
    config = OptimizerConfig.model_validate({"learning_rate": 1e-3, "scaling": scaling, "base_batch_size": 32})
    assert base_learning_rate(config, 128) == pytest.approx(factor * 1e-3)
    assert base_learning_rate(config, 32) == pytest.approx(1e-3)


def rate(schedule: ScheduleConfig, step: int, *, steps: int = 100, epoch: int = 0) -> float:
    config = OptimizerConfig(learning_rate=1.0, schedule=schedule)
    return learning_rate(config, step=step, steps=steps, epoch=epoch, global_batch_size=32)


@pytest.mark.parametrize("name", ["constant", "cosine", "step"])
def test_the_warm_up_rises_in_equal_steps_to_the_whole_rate(name: str) -> None:
    schedule = ScheduleConfig.model_validate({"name": name, "warmup_steps": 4})
    assert [rate(schedule, step) for step in range(5)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])


def test_a_constant_rate_stays() -> None:
    assert {rate(ScheduleConfig(), step, epoch=step // 10) for step in range(100)} == {1.0}


def test_a_cosine_falls_from_the_whole_rate_to_its_last_part() -> None:
    schedule = ScheduleConfig(name="cosine", warmup_steps=20, final_fraction=0.1)
    course = [rate(schedule, step) for step in range(20, 101)]
    assert course[0] == pytest.approx(1.0)
    assert course[40] == pytest.approx(0.55)
    assert course[-1] == pytest.approx(0.1)
    assert all(math.isclose(a, b) or a > b for a, b in pairwise(course))


def test_a_cosine_stays_at_its_last_part_beyond_the_end() -> None:
    assert rate(ScheduleConfig(name="cosine", final_fraction=0.2), 150) == pytest.approx(0.2)


def test_a_warm_up_as_long_as_the_run_leaves_nothing_to_divide_by() -> None:
    assert rate(ScheduleConfig(name="cosine", warmup_steps=100), 99) == pytest.approx(1.0)


def test_a_step_schedule_drops_every_so_many_epochs() -> None:
    schedule = ScheduleConfig(name="step", step_epochs=3, step_factor=0.1)
    course = [rate(schedule, 50, epoch=epoch) for epoch in (0, 2, 3, 5, 6)]
    assert course == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])


def test_schedule_and_scaling_work_together() -> None:
    config = OptimizerConfig(learning_rate=1e-3, scaling="linear", schedule=ScheduleConfig(warmup_steps=2))
    assert learning_rate(config, step=0, steps=10, epoch=0, global_batch_size=64) == pytest.approx(1e-3)
    assert learning_rate(config, step=5, steps=10, epoch=0, global_batch_size=64) == pytest.approx(2e-3)
