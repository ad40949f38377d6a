"""AdamW as one fused kernel a variable, and the learning rate's course.

Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, in the form of ``keras.optimizers.AdamW``
(epsilon added to the root of the uncorrected second moment), to which a test holds it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from trainer.config import OptimizerConfig


class AdamW:
    """Updates variables in place; decays every variable of two or more dimensions (not norms, not biases).

    Args:
        variables: ``tf.Variable`` by its stable name, the model's path of it.
        config: the rates. The learning rate itself is passed to ``apply``.
        begun: updates before a variable was first trained, by its name; others are trained from the first on.
        slow: names of the variables that learn at ``trunk_rate``.
    """

    def __init__(
        self,
        variables: Mapping[str, Any],
        config: OptimizerConfig,
        *,
        begun: Mapping[str, int] | None = None,
        slow: Collection[str] = (),
    ) -> None:
        self._config, self._begun, self._slow = config, begun or {}, frozenset(slow)
        self._variables = dict(variables)
        self._first = {name: tf.Variable(tf.zeros_like(each)) for name, each in variables.items()}
        self._second = {name: tf.Variable(tf.zeros_like(each)) for name, each in variables.items()}
        self.updates = tf.Variable(0, dtype=tf.int64)

    def apply(self, gradients: Sequence[tf.Tensor], learning_rate: tf.Tensor) -> None:
        """One update; gradients in the variables' order and dtype, ``learning_rate`` a scalar tensor."""
        self.updates.assign_add(1)
        for (name, variable), gradient in zip(self._variables.items(), gradients, strict=True):
            rate = tf.cast(learning_rate, variable.dtype)
            if name in self._slow:
                rate *= tf.cast(self._config.trunk_rate, variable.dtype)
            count = tf.cast(self._updates_of(name), variable.dtype)
            if self._config.weight_decay and variable.shape.rank >= 2:
                variable.assign(variable * (1.0 - rate * self._config.weight_decay))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self._first[name].handle,
                v=self._second[name].handle,
                beta1_power=tf.pow(tf.cast(self._config.beta_1, variable.dtype), count),
                beta2_power=tf.pow(tf.cast(self._config.beta_2, variable.dtype), count),
                lr=rate,
                beta1=tf.cast(self._config.beta_1, variable.dtype),
                beta2=tf.cast(self._config.beta_2, variable.dtype),
                epsilon=tf.cast(self._config.epsilon, variable.dtype),
                grad=gradient,
            )

    def _updates_of(self, name: str) -> tf.Tensor:
        """Of one variable: what its moments lack of their full weight depends on it."""
        begun = self._begun.get(name, 0)
        # Steps that were skipped count in the plan by which layers are unfrozen, not in the updates.
        return tf.maximum(self.updates - begun, 1) if begun else self.updates.value()

    def state(self) -> dict[str, tf.Variable]:
        """The moments by stable name: ``<variable>/m`` and ``<variable>/v``, and ``updates``."""
        moments = {f"{name}/m": each for name, each in self._first.items()}
        moments |= {f"{name}/v": each for name, each in self._second.items()}
        return moments | {"updates": self.updates}


def base_learning_rate(config: OptimizerConfig, global_batch_size: int) -> float:
    """The rate after scaling with the batch: none, by its root, or linear (Goyal et al., 2017)."""
    ratio = global_batch_size / config.base_batch_size
    return config.learning_rate * {"none": 1.0, "sqrt": math.sqrt(ratio), "linear": ratio}[config.scaling]


def learning_rate(config: OptimizerConfig, *, step: int, steps: int, epoch: int, global_batch_size: int) -> float:
    """The rate of the update after ``step`` of ``steps`` updates, in epoch ``epoch`` (all from 0)."""
    base = base_learning_rate(config, global_batch_size)
    schedule = config.schedule
    if step < schedule.warmup_steps:
        return base * (step + 1) / schedule.warmup_steps
    if schedule.name == "step":
        return base * schedule.step_factor ** (epoch // schedule.step_epochs)
    if schedule.name == "cosine":
        part = (step - schedule.warmup_steps) / max(1, steps - schedule.warmup_steps)
        fall = 0.5 * (1.0 + math.cos(math.pi * min(1.0, part)))
        return base * (schedule.final_fraction + (1.0 - schedule.final_fraction) * fall)
    return base
