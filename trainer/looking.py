"""Films of a set with what a checkpoint's network looked at in them."""

from collections.abc import Sequence

import keras
import numpy as np

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import load
from trainer.config import Config, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.plan import chosen_films
from trainer.data.scaling import normalise, scale
from trainer.data.store.opening import open_store
from trainer.model.layout import input_scaling
from trainer.model.registry import build
from trainer.network import assign
from trainer.report.facts import KEY
from trainer.report.gradcam import grad_cam
from trainer.report.page.cases import Look, Looks
from trainer.scoring import Watch


def looks_at(config: Config, mark: Mark, films: FilmSet, wanted: Sequence[tuple[int, int]], watch: Watch) -> Looks:
    """Grad-CAM of films for classes, in Keras's dtype policy; ``watch`` is told of the films done.

    Args:
        config: the whole tree.
        mark: which checkpoint of the run.
        films: the set.
        wanted: places of a film in the set and of a class among the network's; each is given back.
        watch: of progress.

    Raises DataError where the checkpoint or a film is damaged.
    """
    if not wanted:
        return {}
    model, settings = _network(config, mark)
    looks: Looks = {}
    for batch in _batches(wanted, config.evaluate.batch_size):
        chosen = np.array(batch, np.int64)
        images = films.gather(chosen_films(films.records_per_shard, chosen[:, 0])).images.copy()
        scaled = normalise(scale(images), *input_scaling(settings))
        heat = grad_cam(model, scaled, chosen[:, 1]).heat
        looks |= {pair: Look(images[row, :, :, 0], heat[row]) for row, pair in enumerate(batch)}
        watch(len(looks), len(wanted))
    return looks


def _network(config: Config, mark: Mark) -> tuple[keras.Model, ModelConfig]:
    """The network of the checkpoint, and its settings."""
    snapshot = load(open_store(config.checkpoint.directory, config.store, KEY), mark, optimizer=False)
    run = snapshot.state.run
    settings = ModelConfig.model_validate(run["model"])
    model = build(settings, classes=len(run["classes"]), image_size=run["image_size"])
    assign(model, snapshot.model)
    return model, settings


def _batches(wanted: Sequence[tuple[int, int]], size: int) -> list[Sequence[tuple[int, int]]]:
    return [wanted[start : start + size] for start in range(0, len(wanted), size)]
