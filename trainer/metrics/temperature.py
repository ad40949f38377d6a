"""Temperature scaling: a class's logits divided by one number, fitted on films that are not reported on."""

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import known_films
from trainer.metrics.estimate import Floats

Array = NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0
"""Bounds: without them, a class whose films are ranked without a fault goes to 0, one ranked no better than by chance
to infinity."""

_HALVINGS = 50
_SATURATED = 1e-7
"""Scores nearer to 0 or 1 are taken to lie here: float32 rounds a confident film's to 1, which has no logit."""


def fit_temperatures(scores: Floats, labels: Floats) -> Array:
    """The temperature of each class that makes its scores likeliest (Guo et al., 2017), float64 [classes].

    One a class: findings are as many binary questions, over- or underconfident each to its own degree.

    Args:
        scores: float [films, classes], probabilities, of a set that is not reported on: validation.
        labels: float [films, classes], 1, 0, or NaN: unknown, masked.

    Returns:
        Between ``LOWEST`` and ``HIGHEST``, above 1 for an overconfident class; NaN, not defined, for a class without a
        known positive or without a known negative.

    Raises:
        DataError: a score of a known film is NaN.
    """
    return np.array([_fit(scores[:, each], labels[:, each]) for each in range(labels.shape[1])])


def tempered(scores: Floats, temperatures: Array) -> Array:
    """Scores [films, classes] at temperatures [classes], float64; as they are where a temperature is NaN."""
    known = ~np.isnan(temperatures)
    result = scores.astype(np.float64)
    result[:, known] = _sigmoid(logits(result[:, known]) / temperatures[known])
    return result


def logits(scores: Floats) -> Array:
    """log(p / (1 - p)) of probabilities, finite."""
    held = np.clip(scores.astype(np.float64), _SATURATED, 1.0 - _SATURATED)
    found: Array = np.log(held) - np.log1p(-held)
    return found


def _fit(scores: Floats, labels: Floats) -> float:
    """Halves the interval of log temperatures: the loss is convex in 1 / temperature, so its slope has one zero."""
    known = known_films(scores, labels)
    logit, label = logits(scores[known]), labels[known].astype(np.float64)
    if not 0 < label.sum() < len(label):
        return float("nan")
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # Of the loss, in 1 / temperature: below 0, the films want the logits larger, so a lower temperature.
        slope = logit @ (_sigmoid(logit / np.exp(middle)) - label)
        low, high = (low, middle) if slope < 0 else (middle, high)
    return float(np.exp((low + high) / 2))


def _sigmoid(logit: Array) -> Array:
    # By tanh, which does not overflow.
    found: Array = 0.5 * (1.0 + np.tanh(0.5 * logit))
    return found
