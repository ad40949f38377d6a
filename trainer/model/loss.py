"""The loss as two sums: ranks add theirs before they divide, as a mean of means would weigh films unequally."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import LossConfig


def film_loss_sums(
    logits: tf.Tensor,
    labels: tf.Tensor,
    film_weights: tf.Tensor,
    config: LossConfig,
    positive_weights: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Binary cross-entropy summed over films and known labels, and the sum of the weights it was taken with.

    The loss of a global batch is the first, summed over ranks, divided by the second, summed over ranks.

    Args:
        logits: float [batch, classes].
        labels: float [batch, classes]; 0 to 1, or NaN where unknown, which counts in neither sum.
        film_weights: float [batch]; 0 for a film that only fills the batch.
        config: smoothing and the exponent of the focal loss (Lin et al., ICCV 2017).
        positive_weights: float [classes], weight of a positive label's term; see ``positive_weights``.

    Returns:
        Two scalars in the logits' dtype.
    """
    known = tf.math.logical_not(tf.math.is_nan(labels))
    # Unknown labels are replaced before, not only masked after: 0 x NaN would be NaN in the gradient.
    targets = _smoothed(tf.cast(tf.where(known, labels, tf.zeros_like(labels)), logits.dtype), config.label_smoothing)
    terms = _cross_entropy(logits, targets, tf.cast(positive_weights, logits.dtype), config.focal_gamma)
    weights = tf.cast(film_weights, logits.dtype)[:, tf.newaxis] * tf.cast(known, logits.dtype)
    return tf.reduce_sum(weights * terms), tf.reduce_sum(weights)


def positive_weights(config: LossConfig, positives: Sequence[int], negatives: Sequence[int]) -> npt.NDArray[np.float32]:
    """The weight of a positive label's term, float32 [classes].

    Balanced: negatives over positives of the training set, held between ``config.largest_class_weight`` and its
    inverse; 1 for a class without positives. Otherwise 1.

    Args:
        config: which weights, and their bound.
        positives: positive labels a class, over the training set.
        negatives: negative labels a class, over the training set.
    """
    if config.class_weights == "none":
        return np.ones(len(positives), np.float32)
    largest = config.largest_class_weight
    ratios = [miss / hit if hit else 1.0 for hit, miss in zip(positives, negatives, strict=True)]
    return np.clip(ratios, 1.0 / largest, largest).astype(np.float32)


def _smoothed(targets: tf.Tensor, smoothing: float) -> tf.Tensor:
    return targets * (1.0 - smoothing) + 0.5 * smoothing


def _cross_entropy(logits: tf.Tensor, targets: tf.Tensor, positive_weights: tf.Tensor, gamma: float) -> tf.Tensor:
    minus_log_p, minus_log_not_p = tf.nn.softplus(-logits), tf.nn.softplus(logits)
    positive, negative = targets * positive_weights * minus_log_p, (1.0 - targets) * minus_log_not_p
    if gamma == 0:
        return positive + negative
    # The powers are taken as exponentials of logarithms, whose gradient is finite also where p reaches 0 or 1.
    return positive * tf.exp(-gamma * minus_log_not_p) + negative * tf.exp(-gamma * minus_log_p)
