"""One training step as a graph: local gradients, their sum over ranks, a finite check, one update."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from trainer.collectives import Collectives
from trainer.config import Config
from trainer.data.augment import augment
from trainer.data.pipeline import Batch
from trainer.data.scaling import normalise, scale
from trainer.model.freezing import moving_statistics
from trainer.model.layers import keyed_randomness
from trainer.model.layout import input_scaling
from trainer.model.loss import film_loss_sums
from trainer.optimizer import AdamW


class Draw(NamedTuple):
    """What makes a step's random draws and its place: keys int32 [2], ``first_slot`` scalar int32."""

    augment_key: tf.Tensor
    dropout_key: tf.Tensor
    first_slot: tf.Tensor


class Sums(NamedTuple):
    """What a rank brings to the allreduce: gradients of its loss sum, moving statistics, and scalar sums."""

    gradients: list[tf.Tensor]
    statistics: list[tf.Tensor]
    loss: tf.Tensor
    weight: tf.Tensor
    stop: tf.Tensor


@dataclass(frozen=True)
class Measured:
    """What a step tells, equal on all ranks."""

    loss: float
    gradient_norm: float
    skipped: bool
    stop: bool
    """A rank was asked to stop."""


class TrainingStep:
    """The step of one model on this rank's slots of each global batch.

    ``step(batch, ...)`` runs it as one graph, which calls the graphs ``gradients``, ``allreduce`` and ``update``:
    traced once, they can also be run one after the other, to be timed apart.
    """

    def __init__(
        self, model: keras.Model, optimizer: AdamW, ranks: Collectives, config: Config, positive_weights: Any
    ) -> None:
        self._model, self._optimizer, self._ranks, self._config = model, optimizer, ranks, config
        self._positive_weights = tf.constant(positive_weights)
        self._parameters = [each.value for each in model.trainable_variables]
        moving = moving_statistics(model)
        self._moving = [each.value for each in moving]
        self._names = [f"gradient/{each.path}" for each in model.trainable_variables]
        self._names += [f"statistic/{each.path}" for each in moving]
        self.gradients = tf.function(self._gradients)
        self.allreduce = tf.function(self._allreduce)
        self.update = tf.function(self._update)
        self._whole = tf.function(self._step)

    def __call__(self, batch: Batch, draw: Draw, learning_rate: float, stop: bool) -> tf.Tensor:
        """Starts one step; ``read`` waits for what it measured. ``stop``: this rank was asked to stop."""
        return self._whole(batch, draw, self._scalar(learning_rate), self._scalar(stop))

    def in_parts(self, batch: Batch, draw: Draw, learning_rate: float, stop: bool) -> Any:
        """The same step as a generator that stops after each part is done; its last value is the measurement."""
        sums, before = self.gradients(batch, draw, self._scalar(stop))
        yield _wait(sums)
        sums = self.allreduce(sums)
        yield _wait(sums)
        yield self.update(sums, before, self._scalar(learning_rate))

    def _scalar(self, value: float | bool) -> tf.Tensor:
        return tf.constant(float(value), tf.float32)

    def _step(self, batch: Batch, draw: Draw, learning_rate: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        sums, before = self.gradients(batch, draw, stop)
        return self.update(self.allreduce(sums), before, learning_rate)

    def _gradients(self, batch: Batch, draw: Draw, stop: tf.Tensor) -> tuple[Sums, list[tf.Tensor]]:
        """This rank's sums, and the moving statistics as they were, to go back to if the step is skipped."""
        before = [tf.identity(each) for each in self._moving]
        parts = self._config.train.accumulation_steps
        loss, weight, gradients = self._part(batch, draw, 0)
        for part in range(1, parts):
            more_loss, more_weight, more = self._part(batch, draw, part)
            loss, weight = loss + more_loss, weight + more_weight
            gradients = [a + b for a, b in zip(gradients, more, strict=True)]
        statistics = [tf.identity(each) for each in self._moving]
        return Sums(gradients, statistics, loss, weight, stop), before

    def _part(self, batch: Batch, draw: Draw, part: int) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
        films = batch.images.shape[0] // self._config.train.accumulation_steps
        mine = slice(part * films, (part + 1) * films)
        first_slot = draw.first_slot + part * films
        slots = self._config.train.global_batch_size
        images = scale(batch.images[mine])
        images = augment(
            images, self._config.train.augment, key=draw.augment_key, first_slot=first_slot, global_batch_size=slots
        )
        images = normalise(images, *input_scaling(self._config.model))
        # Only what is trained is watched: below the lowest trained layer, nothing is traced for a gradient.
        tape = tf.GradientTape(watch_accessed_variables=False)
        with tape, keyed_randomness(draw.dropout_key, first_slot, slots):
            tape.watch(self._parameters)
            logits = self._model(images, training=True)
            loss, weight = film_loss_sums(
                logits, batch.labels[mine], batch.weights[mine], self._config.loss, self._positive_weights
            )
            # A rank's sum of weights is then near 1, whatever the batch: 16-bit gradients neither overflow nor vanish.
            loss, weight = loss * self._per_label(logits), weight * self._per_label(logits)
        return loss, weight, tape.gradient(loss, self._parameters)

    def _per_label(self, logits: tf.Tensor) -> float:
        share = self._config.train.global_batch_size / self._ranks.topology.world_size
        return float(1.0 / (share * logits.shape[1]))

    def _allreduce(self, sums: Sums) -> Sums:
        """The sum over ranks of everything a step needs, of moving statistics the mean, in one round."""
        scalars = tf.stack([tf.cast(each, tf.float64) for each in (sums.loss, sums.weight, sums.stop)])
        *totals, scalars = self._ranks.allreduce([*sums.gradients, *sums.statistics, scalars], [*self._names, "sums"])
        count = len(sums.gradients)
        means = [each / tf.cast(self._ranks.topology.world_size, each.dtype) for each in totals[count:]]
        return Sums(totals[:count], means, *tf.unstack(scalars))

    def _update(self, sums: Sums, before: list[tf.Tensor], learning_rate: tf.Tensor) -> tf.Tensor:
        """One update from the sums, or none if any is not finite; the same on every rank.

        The loss is the sum over films over the global sum of weights, never a mean of means.
        """
        # Times the inverse: one pass over memory, where a division that guards against 0 would branch at each number.
        inverse = tf.math.divide_no_nan(tf.cast(1.0, sums.weight.dtype), sums.weight)
        gradients = [each * tf.cast(inverse, each.dtype) for each in sums.gradients]
        norm = tf.linalg.global_norm(gradients)
        finite = tf.math.is_finite(norm) & tf.math.is_finite(tf.cast(sums.loss, norm.dtype))
        clip = self._config.optimizer.clip_norm
        if clip:
            factor = tf.minimum(tf.cast(1.0, norm.dtype), tf.cast(clip, norm.dtype) / norm)
            gradients = [each * factor for each in gradients]

        def apply() -> tf.Tensor:
            self._optimizer.apply(gradients, learning_rate)
            return self._set_moving(sums.statistics)

        def skip() -> tf.Tensor:
            return self._set_moving(before)

        tf.cond(finite, apply, skip)
        loss = tf.math.divide_no_nan(sums.loss, sums.weight)
        return tf.stack([loss, tf.cast(norm, loss.dtype), tf.cast(~finite, loss.dtype), sums.stop])

    def _set_moving(self, statistics: list[tf.Tensor]) -> tf.Tensor:
        for variable, value in zip(self._moving, statistics, strict=True):
            variable.assign(value)
        return tf.constant(True)


def read(measured: tf.Tensor) -> Measured:
    """Waits for a step to be done and reads what it measured."""
    loss, norm, skipped, stop = (float(each) for each in measured.numpy())
    return Measured(loss, norm, bool(skipped), stop > 0.0)


def as_augmented(images: tf.Tensor, draw: Draw, config: Config) -> np.ndarray[Any, Any]:
    """The first films of a rank's batch as its step sees them, float32 [films, height, width, 1] in 0 to 1.

    ``trackers.tensorboard.films`` of them. Computed on the CPU, where no step waits for it.
    """
    few = images[: config.trackers.tensorboard.films]
    with tf.device("CPU:0"):
        seen = augment(
            scale(few),
            config.train.augment,
            key=draw.augment_key,
            first_slot=draw.first_slot,
            global_batch_size=config.train.global_batch_size,
        )
    found: np.ndarray[Any, Any] = seen.numpy()
    return found


def parameters(model: keras.Model) -> Mapping[str, tf.Variable]:
    """Trainable variables by their stable names."""
    return {each.path: each.value for each in model.trainable_variables}


def arrays(variables: Mapping[str, tf.Variable]) -> dict[str, np.ndarray[Any, Any]]:
    """Copies out of the device."""
    return {name: each.numpy() for name, each in variables.items()}


def _wait(sums: Sums) -> Sums:
    """Until the device has computed the part: a copy of its last scalar queues up behind all of it."""
    tf.identity(sums.weight).numpy()
    return sums
