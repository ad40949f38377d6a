"""Scoring: any number of ranks gives the same scores in the set's order, and unknown labels weigh nothing."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.collectives import SingleRank
from trainer.config import DataConfig, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.plan import scoring_batch
from trainer.data.store.folder import FolderStore
from trainer.scoring import Scorer, in_order, mean_loss
from trainer.topology import Topology


@settings(max_examples=60)
@given(batches=st.integers(0, 30), batch_size=st.integers(1, 5), world_size=st.integers(1, 12))
def test_rows_of_all_ranks_come_back_in_the_sets_order(batches: int, batch_size: int, world_size: int) -> None:
    rows = np.arange(batches * batch_size * 2).reshape(batches * batch_size, 2)
    whole = rows.reshape(batches, batch_size, 2)
    brought = [whole[rank::world_size].reshape(-1, 2) for rank in range(world_size)]
    assert np.array_equal(in_order(np.concatenate(brought), batches, batch_size, world_size), rows)


def test_the_mean_loss_is_the_cross_entropy_of_the_known_labels() -> None:
    scores = np.array([[0.9, 0.2], [0.5, 0.7]], np.float32)
    labels = np.array([[1.0, 0.0], [math.nan, 1.0]], np.float32)
    expected = -(math.log(0.9) + math.log(0.8) + math.log(0.7)) / 3
    assert mean_loss(scores, labels) == pytest.approx(expected, rel=1e-6)


def test_a_score_that_is_sure_and_wrong_has_a_finite_loss() -> None:
    loss = mean_loss(np.array([[0.0], [1.0]], np.float32), np.array([[1.0], [0.0]], np.float32))
    assert loss == pytest.approx(-math.log(1e-7), rel=1e-6)


def test_a_score_that_is_sure_and_right_has_no_loss() -> None:
    assert mean_loss(np.array([[1.0]], np.float32), np.array([[1.0]], np.float32)) == pytest.approx(0.0, abs=1e-6)


@pytest.fixture(scope="module")
def films(small_sets: Path) -> FilmSet:
    return FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 1))
    return keras.Model(inputs, keras.layers.Dense(15)(keras.layers.Flatten()(inputs)))


class OneOfMany:
    """A rank whose peers' rows are known; it keeps what it brought itself."""

    def __init__(self, rank: int, world_size: int, whole: npt.NDArray[Any]) -> None:
        self.topology = Topology(rank, world_size, rank, world_size)
        self.brought = np.empty(0)
        self._whole = whole

    def gather(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self.brought = rows
        return self._whole


def single(model: keras.Model, films: FilmSet, batch_size: int) -> npt.NDArray[np.float32]:
    return Scorer(model, SingleRank(), ModelConfig(), batch_size=batch_size).scores(films, DataConfig())


def test_scores_are_the_models_probabilities_film_by_film(model: keras.Model, films: FilmSet) -> None:
    scores = single(model, films, 16)
    weights, bias = (each.numpy() for each in model.variables)
    every = scoring_batch(films.records_per_shard, 0, 70)
    images = films.gather(every)[0].reshape(70, -1) / np.float32(255)
    expected = 1.0 / (1.0 + np.exp(-(images @ weights + bias)))
    assert (scores.shape, scores.dtype) == ((70, 15), np.float32)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("world_size", [2, 3, 5, 8])
def test_ranks_together_score_what_one_does(model: keras.Model, films: FilmSet, world_size: int) -> None:
    """70 films in batches of 16 are five batches: of eight ranks three have nothing to bring."""
    alone = single(model, films, 16)
    padded = np.zeros((80, 15), np.float32)
    ranks = [OneOfMany(rank, world_size, padded) for rank in range(world_size)]
    for rank in ranks:
        Scorer(model, rank, ModelConfig(), batch_size=16).scores(films, DataConfig())
    last = OneOfMany(0, world_size, np.concatenate([rank.brought for rank in ranks]))
    together = Scorer(model, last, ModelConfig(), batch_size=16).scores(films, DataConfig())
    assert np.array_equal(together, alone)
