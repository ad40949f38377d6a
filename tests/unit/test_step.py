"""The step: skips together what is not finite, clips, accumulates, and counts every film by its weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from trainer.collectives import SingleRank
from trainer.config import Config
from trainer.data.pipeline import Batch
from trainer.model.layers import FusedBatchNormalization
from trainer.model.registry import build
from trainer.optimizer import AdamW
from trainer.step import Draw, Measured, TrainingStep, arrays, parameters, read
from trainer.topology import Topology

CLASSES = 3
SIDE = 12
FILMS = 8
RATE = 1e-2

Values = dict[str, npt.NDArray[Any]]


def configured(**settings: Any) -> Config:
    train = {"global_batch_size": FILMS, "augment": {"enabled": False}, "precision": "float32"}
    return Config.model_validate(
        {
            "train": train | settings.get("train", {}),
            "optimizer": settings.get("optimizer", {}),
            "model": {"name": "simple_cnn"} | settings.get("model", {}),
        }
    )


def batch_of(films: int = FILMS, *, seed: int = 0) -> Batch:
    generator = np.random.default_rng(seed)
    return Batch(
        tf.constant(generator.integers(0, 256, (films, SIDE, SIDE, 1), dtype=np.uint8)),
        tf.constant((generator.random((films, CLASSES)) < 0.4).astype(np.float32)),
        tf.ones(films),
    )


def with_row(tensor: tf.Tensor, row: int, value: Any) -> tf.Tensor:
    changed = tensor.numpy()
    changed[row] = value
    return tf.constant(changed)


DRAW = Draw(tf.constant([1, 2]), tf.constant([3, 4]), tf.constant(0))


class Trainee:
    """A network, always with the same first weights, its optimizer and its step."""

    def __init__(
        self,
        config: Config,
        *,
        model: keras.Model | None = None,
        ranks: Any = None,
        positive_weights: Sequence[float] = (1.0,) * CLASSES,
    ) -> None:
        keras.utils.set_random_seed(0)
        self.config, self.ranks = config, ranks or SingleRank()
        self.model = model or build(config.model, classes=CLASSES, image_size=SIDE)
        self.optimizer = AdamW(parameters(self.model), config.optimizer)
        self.step = self.step_weighing(positive_weights)

    def step_weighing(self, positive_weights: Sequence[float]) -> TrainingStep:
        weights = np.asarray(positive_weights, np.float32)
        return TrainingStep(self.model, self.optimizer, self.ranks, self.config, weights)

    def train(self, batch: Batch, *, draw: Draw = DRAW, stop: bool = False) -> Measured:
        return read(self.step(batch, draw, RATE, stop))

    def values(self) -> Values:
        """Everything that training changes."""
        return arrays({each.path: each.value for each in self.model.variables}) | arrays(self.optimizer.state())

    def gradients(self) -> Values:
        """Of the first step, as the first moments tell them."""
        share = 1.0 - self.config.optimizer.beta_1
        return {name: each / share for name, each in self.values().items() if name.endswith("/m")}


def with_batch_norm() -> keras.Model:
    keras.utils.set_random_seed(0)
    films = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(4, 3, name="conv")(films)
    x = FusedBatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.ReLU(name="relu")(x))
    return keras.Model(films, keras.layers.Dense(CLASSES, name="head")(x))


def assert_close(a: Mapping[str, Any], b: Mapping[str, Any], tolerance: float) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], atol=tolerance, rtol=tolerance, err_msg=name)


def test_a_step_moves_the_weights_and_the_moving_statistics() -> None:
    trainee = Trainee(configured(), model=with_batch_norm())
    before = trainee.values()
    measured = trainee.train(batch_of())
    after = trainee.values()
    assert not measured.skipped
    assert [name for name in before if np.array_equal(before[name], after[name])] == []


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    trainee = Trainee(configured(), model=with_batch_norm())
    trainee.train(batch_of())
    before = trainee.values()
    trainee.step = trainee.step_weighing([np.inf] * CLASSES)
    measured = trainee.train(batch_of(seed=1))
    after = trainee.values()
    assert measured.skipped
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []


def test_a_run_goes_on_after_a_step_that_was_skipped() -> None:
    skipping, straight = (Trainee(configured(), model=with_batch_norm()) for _ in range(2))
    good = skipping.step
    skipping.step = skipping.step_weighing([np.inf] * CLASSES)
    skipping.train(batch_of(seed=1))
    skipping.step = good
    assert skipping.train(batch_of()) == straight.train(batch_of())
    assert_close(skipping.values(), straight.values(), 0.0)


def test_the_loss_is_the_sum_over_known_labels_over_their_number() -> None:
    trainee, batch = Trainee(configured()), batch_of()
    labels = batch.labels.numpy()
    labels[2, 1] = labels[5, :] = np.nan
    batch = batch._replace(labels=tf.constant(labels), weights=with_row(batch.weights, 7, 0.0))
    films = batch.images.numpy().astype(np.float32) / 255.0
    likely = 1.0 / (1.0 + np.exp(-trainee.model(films).numpy().astype(np.float64)))
    terms = -(labels * np.log(likely) + (1.0 - labels) * np.log1p(-likely))
    assert trainee.train(batch).loss == pytest.approx(np.nanmean(terms[:7]), rel=1e-5)


def test_a_film_that_fills_the_batch_does_not_count() -> None:
    one, other = Trainee(configured()), Trainee(configured())
    batch = batch_of()
    filled = batch._replace(weights=with_row(batch.weights, 3, 0.0))
    changed = filled._replace(images=with_row(batch.images, 3, 255), labels=with_row(batch.labels, 3, 1.0))
    assert one.train(filled) == other.train(changed)
    assert_close(one.values(), other.values(), 0.0)


def test_a_film_without_known_labels_does_not_count() -> None:
    unknown, filling = Trainee(configured()), Trainee(configured())
    batch = batch_of()
    a = unknown.train(batch._replace(labels=with_row(batch.labels, 3, np.nan)))
    b = filling.train(batch._replace(weights=with_row(batch.weights, 3, 0.0)))
    assert a.loss == pytest.approx(b.loss, rel=1e-6)
    assert_close(unknown.gradients(), filling.gradients(), 1e-6)


def test_an_unknown_label_has_no_gradient() -> None:
    trainee, batch = Trainee(configured()), batch_of()
    labels = batch.labels.numpy()
    labels[:, 1] = np.nan
    measured = trainee.train(batch._replace(labels=tf.constant(labels)))
    assert not measured.skipped
    assert np.count_nonzero(trainee.gradients()["head/bias/m"]) == CLASSES - 1


def test_a_batch_without_any_known_label_is_no_error() -> None:
    trainee, batch = Trainee(configured(optimizer={"weight_decay": 0.0})), batch_of()
    before = trainee.values()
    measured = trainee.train(batch._replace(labels=tf.fill(batch.labels.shape, np.nan)))
    assert (measured.loss, measured.gradient_norm, measured.skipped) == (0.0, 0.0, False)
    assert_close({**trainee.values(), "updates": 0}, {**before, "updates": 0}, 0.0)


class PeersThatOnlyFill:
    """Ranks of which all but this one bring films of weight 0: their sums are 0."""

    def __init__(self, world_size: int) -> None:
        self.topology = Topology(0, world_size, 0, world_size)

    def allreduce(self, tensors: Sequence[tf.Tensor], names: Sequence[str]) -> list[tf.Tensor]:
        assert len(set(names)) == len(tensors)
        return list(tensors)


@pytest.mark.parametrize("world_size", [2, 4])
def test_a_film_weighs_the_same_whatever_other_ranks_fill_up_with(world_size: int) -> None:
    own = FILMS // world_size
    alone = Trainee(configured(train={"global_batch_size": own}))
    among = Trainee(configured(), ranks=PeersThatOnlyFill(world_size))
    a, b = alone.train(batch_of(own)), among.train(batch_of(own))
    assert (a.loss, a.gradient_norm) == pytest.approx((b.loss, b.gradient_norm), rel=1e-5)
    assert_close(alone.gradients(), among.gradients(), 1e-6)


def test_the_norm_is_told_as_it_was_and_the_gradient_is_clipped_to_it() -> None:
    free, clipped = Trainee(configured()), Trainee(configured(optimizer={"clip_norm": 0.01}))
    told = free.train(batch_of()).gradient_norm
    assert clipped.train(batch_of()).gradient_norm == pytest.approx(told, rel=1e-6)
    assert norm(free.gradients()) == pytest.approx(told, rel=1e-5)
    assert norm(clipped.gradients()) == pytest.approx(0.01, rel=1e-5)


def test_a_gradient_below_the_largest_norm_is_left_alone() -> None:
    free, bounded = Trainee(configured()), Trainee(configured(optimizer={"clip_norm": 1000.0}))
    free.train(batch_of())
    bounded.train(batch_of())
    assert_close(free.values(), bounded.values(), 0.0)


def norm(values: Values) -> float:
    return float(np.sqrt(sum((each.astype(np.float64) ** 2).sum() for each in values.values())))


@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_gives_the_whole_batchs_step(parts: int) -> None:
    """Augmented and with dropout: what is drawn for a film does not depend on the part it is in."""
    drawn = {"train": {"augment": {"enabled": True}}, "model": {"dropout": 0.3}}
    whole = Trainee(configured(**drawn))
    drawn["train"] |= {"accumulation_steps": parts}
    accumulated = Trainee(configured(**drawn))
    batch = batch_of()._replace(weights=with_row(tf.ones(FILMS), 6, 0.0))
    a, b = whole.train(batch), accumulated.train(batch)
    assert (a.loss, a.gradient_norm) == pytest.approx((b.loss, b.gradient_norm), rel=1e-5)
    assert_close(whole.gradients(), accumulated.gradients(), 1e-5)
    assert_close(whole.values(), accumulated.values(), 1e-4)


def test_a_rank_draws_for_its_own_slots() -> None:
    drawn = configured(train={"augment": {"enabled": True}}, model={"dropout": 0.3})
    first, second = Trainee(drawn), Trainee(drawn)
    first.train(batch_of(4))
    second.train(batch_of(4), draw=DRAW._replace(first_slot=tf.constant(4)))
    assert not np.allclose(first.gradients()["head/kernel/m"], second.gradients()["head/kernel/m"])


def test_a_step_in_three_parts_is_the_same_step() -> None:
    whole, parted = (Trainee(configured(), model=with_batch_norm()) for _ in range(2))
    for seed in (0, 1):
        *_, measured = parted.step.in_parts(batch_of(seed=seed), DRAW, RATE, False)
        a, b = whole.train(batch_of(seed=seed)), read(measured)
        assert (a.loss, a.gradient_norm) == pytest.approx((b.loss, b.gradient_norm), rel=1e-5)
    assert_close(whole.values(), parted.values(), 1e-5)


def test_a_step_in_three_parts_skips_what_is_not_finite() -> None:
    trainee = Trainee(configured(), model=with_batch_norm(), positive_weights=[np.inf] * CLASSES)
    before = trainee.values()
    *_, measured = trainee.step.in_parts(batch_of(), DRAW, RATE, False)
    assert read(measured).skipped
    assert_close(trainee.values(), before, 0.0)


@pytest.mark.parametrize("asked", [False, True])
def test_a_wish_to_stop_goes_through_the_step(asked: bool) -> None:
    assert Trainee(configured()).train(batch_of(), stop=asked).stop is asked


def test_training_on_the_same_films_lowers_the_loss() -> None:
    trainee = Trainee(configured())
    losses = [trainee.train(batch_of()).loss for _ in range(15)]
    assert losses[-1] < 0.5 * losses[0]
