"""Scores of a whole set: every rank takes whole batches, and all get all scores, in the set's order."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.collectives import Collectives
from trainer.config import DataConfig, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import scoring_batches
from trainer.data.scaling import normalise, scale
from trainer.model.layout import input_scaling

Watch = Callable[[int, int], None]
"""Called with what is done and what there is to do, in steps or batches."""


def unwatched(done: int, total: int) -> None:
    """A watch that nobody keeps."""


class Scorer:
    """A model's scores in inference mode, in the precision the process was started with.

    A batch's composition depends on the set and ``batch_size`` only, so any number of ranks gives the same scores.
    """

    def __init__(self, model: keras.Model, ranks: Collectives, config: ModelConfig, *, batch_size: int) -> None:
        self._model, self._ranks, self._config, self._batch_size = model, ranks, config, batch_size
        self._probabilities = tf.function(self._forward)

    def scores(self, films: FilmSet, config: DataConfig, watch: Watch = unwatched) -> npt.NDArray[np.float32]:
        """Probabilities float32 [films, classes], on every rank; ``watch`` is told of this rank's batches."""
        total = films.manifest.films
        batches = -(-total // self._batch_size)
        topology = self._ranks.topology
        mine = range(topology.rank, batches, topology.world_size)
        read = scoring_batches(films, mine, batch_size=self._batch_size, config=config)
        classes = self._model.output_shape[-1]
        own = []
        for batch in read:
            own.append(self.of_films(batch.images))
            watch(len(own), len(mine))
        rows = self._ranks.gather(np.concatenate(own) if own else np.empty((0, classes), dtype=np.float32))
        return in_order(rows, batches, self._batch_size, topology.world_size)[:total]

    def of_films(self, images: tf.Tensor | npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Probabilities [films, classes] of films as they are stored, uint8 [films, height, width, 1]."""
        return np.asarray(self._probabilities(images))

    def _forward(self, images: tf.Tensor) -> tf.Tensor:
        scaled = normalise(scale(images), *input_scaling(self._config))
        return tf.cast(tf.sigmoid(self._model(scaled, training=False)), tf.float32)


def in_order(rows: npt.NDArray[Any], batches: int, batch_size: int, world_size: int) -> npt.NDArray[Any]:
    """Rows in the batches' order from rows in the ranks' order: rank r brought batches r, r + n, r + 2n, ..."""
    brought = [batch for rank in range(world_size) for batch in range(rank, batches, world_size)]
    return rows.reshape(batches, batch_size, *rows.shape[1:])[np.argsort(brought)].reshape(rows.shape)


def mean_loss(scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> float:
    """Mean binary cross-entropy of probabilities [films, classes] over the known labels."""
    likely = np.clip(scores.astype(np.float64), 1e-7, 1.0 - 1e-7)
    terms = -(labels * np.log(likely) + (1.0 - labels) * np.log1p(-likely))
    return float(np.nanmean(terms))
