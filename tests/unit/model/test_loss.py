"""The loss counts what is known, once, and stays finite."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import LossConfig
from trainer.model.loss import film_loss_sums, positive_weights

NAN = float("nan")
PLAIN = LossConfig()


def sums(
    logits: object, labels: object, films: object, config: LossConfig = PLAIN, weights: object = None
) -> tuple[float, float]:
    wide = tf.constant(logits, tf.float64)
    weights = tf.ones(wide.shape[1], tf.float64) if weights is None else tf.constant(weights, tf.float64)
    loss, weight = film_loss_sums(
        wide, tf.constant(labels, tf.float64), tf.constant(films, tf.float64), config, weights
    )
    return float(loss), float(weight)


def p(logit: float) -> float:
    return 1.0 / (1.0 + np.exp(-logit))


def test_plain_loss_is_the_sum_of_cross_entropies() -> None:
    loss, weight = sums([[0.3, -1.2]], [[1.0, 0.0]], [1.0])
    assert (loss, weight) == pytest.approx((-np.log(p(0.3)) - np.log(1 - p(-1.2)), 2.0))


def test_unknown_labels_and_filling_films_count_in_neither_sum() -> None:
    known = sums([[0.3, -1.2]], [[1.0, 0.0]], [1.0])
    assert sums([[0.3, 8.0, -1.2], [4.0, 5.0, 6.0]], [[1.0, NAN, 0.0], [1.0, 1.0, NAN]], [1.0, 0.0]) == known


def test_film_weights_count_in_both_sums() -> None:
    whole, half = sums([[0.3, -1.2]], [[1.0, 0.0]], [1.0]), sums([[0.3, -1.2]], [[1.0, 0.0]], [0.5])
    assert half == pytest.approx((whole[0] / 2, whole[1] / 2))


def test_sums_of_two_ranks_add_up_to_those_of_the_joint_batch() -> None:
    draw = np.random.default_rng(0)
    logits, labels = draw.normal(size=(6, 3)), draw.choice([0.0, 1.0, NAN], (6, 3))
    first, second = (sums(logits[part], labels[part], np.ones(len(logits[part]))) for part in (slice(4), slice(4, 6)))
    assert np.add(first, second) == pytest.approx(sums(logits, labels, np.ones(6)))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("label", [0.0, 1.0, NAN])
@pytest.mark.parametrize("logit", [-200.0, 0.0, 200.0])
def test_loss_and_gradient_are_finite_for_any_logit_and_label(logit: float, label: float, gamma: float) -> None:
    logits = tf.constant([[logit]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss, _ = film_loss_sums(logits, tf.constant([[label]]), tf.ones(1), LossConfig(focal_gamma=gamma), tf.ones(1))
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, logits)).all()


def test_an_unknown_label_has_no_gradient() -> None:
    logits = tf.constant([[0.3, 0.4]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss, _ = film_loss_sums(logits, tf.constant([[1.0, NAN]]), tf.ones(1), PLAIN, tf.ones(2))
    assert tape.gradient(loss, logits)[0, 1] == 0


def test_smoothing_pulls_labels_towards_one_half() -> None:
    smoothed, _ = sums([[0.3, -1.2]], [[1.0, 0.0]], [1.0], LossConfig(label_smoothing=0.2))
    assert smoothed == pytest.approx(sums([[0.3, -1.2]], [[0.9, 0.1]], [1.0])[0])


@pytest.mark.parametrize(("label", "right"), [(1.0, p(0.3)), (0.0, 1 - p(0.3))])
def test_focal_loss_weighs_by_how_wrong_the_film_is(label: float, right: float) -> None:
    loss, weight = sums([[0.3]], [[label]], [1.0], LossConfig(focal_gamma=2.0))
    assert (loss, weight) == pytest.approx((-((1 - right) ** 2) * np.log(right), 1.0))


def test_class_weights_weigh_positive_terms_only() -> None:
    loss, weight = sums([[0.3, 0.3]], [[1.0, 0.0]], [1.0], weights=[5.0, 5.0])
    assert (loss, weight) == pytest.approx((-5 * np.log(p(0.3)) - np.log(1 - p(0.3)), 2.0))


def test_balanced_weights_are_negatives_over_positives_within_bounds() -> None:
    config = LossConfig(class_weights="balanced", largest_class_weight=10.0)
    weights = positive_weights(config, [50, 1, 99, 0, 100], [150, 99, 1, 100, 0])
    np.testing.assert_allclose(weights, [3.0, 10.0, 0.1, 1.0, 0.1], rtol=1e-6)
    assert weights.dtype == np.float32


def test_weights_are_one_where_none_are_asked_for() -> None:
    np.testing.assert_array_equal(positive_weights(PLAIN, [1, 2], [30, 40]), [1.0, 1.0])
