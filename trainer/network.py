"""The network of a run: built for its films, begun from weights where the settings name some."""

import logging
import tempfile
from pathlib import Path
from typing import Any

import keras

from trainer.checkpoint.snapshot import Arrays
from trainer.collectives import Collectives
from trainer.config import Config, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.store.opening import is_remote, open_store
from trainer.errors import DataError
from trainer.model.loss import positive_weights
from trainer.model.registry import build
from trainer.model.weights import keras_names
from trainer.model.weights.fitting import fit
from trainer.model.weights.weights import KEY, Weights
from trainer.step import arrays

log = logging.getLogger("cxr_train")

IMAGENET = "imagenet"


def first_weights(config: Config) -> Weights | None:
    """What ``model.weights`` names, read; None where it names nothing. Raises DataError."""
    where = config.model.weights
    if not where:
        return None
    if where == IMAGENET:
        return Weights(keras_names.imagenet(config.model.name), "keras")
    # Its libraries are for those alone who begin from a file.
    from trainer.model.weights.file import read_weights

    if not is_remote(where):
        return read_weights(Path(where))
    folder, _, name = where.rpartition("/")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, name)
        file.write_bytes(open_store(folder, config.store, KEY).read(name))
        return read_weights(file, where)


def settled(config: ModelConfig, weights: Weights | None) -> ModelConfig:
    """The settings with nothing left to decide: layout and biases are those of the weights."""
    if config.layout != "auto":
        return config
    if weights is None or weights.layout is None:
        return config.model_copy(update={"layout": "notebook"})
    bias = {"conv_bias": "stem_conv/bias" in weights.arrays} if "stem_conv/kernel" in weights.arrays else {}
    return config.model_copy(update={"layout": weights.layout, **bias})


def begin_from(model: keras.Model, weights: Weights, classes: tuple[str, ...], where: str) -> None:
    """Sets a new network to the weights, and says what became of the head. Raises DataError where they do not fit."""
    fitted = fit(model, weights, classes, where)
    log.info("begun from %s (%s layout): trunk loaded, head %s", where, weights.layout or "notebook", fitted.head)


def network(config: Config, films: FilmSet, ranks: Collectives, classes: int | None = None) -> keras.Model:
    """The configured network for these films, with fresh weights, and outputs for their classes or for so many."""
    image = films.manifest.image
    return build(
        config.model,
        classes=classes or len(films.manifest.classes),
        image_size=image.height,
        average=ranks.average_in_model,
    )


def model_arrays(model: keras.Model) -> Arrays:
    """Copies of a model's variables by their stable names."""
    return arrays({each.path: each.value for each in model.variables})


def assign(model: keras.Model, values: Arrays) -> None:
    """Sets a model's variables; raises DataError that names the first that is missing or of another shape."""
    for variable in model.variables:
        value = values.get(variable.path)
        if value is None or tuple(value.shape) != tuple(variable.shape):
            found = "nothing" if value is None else f"shape {tuple(value.shape)}"
            raise DataError(
                f"checkpoint: {variable.path}",
                found,
                f"does not fit the model's shape {tuple(variable.shape)}",
                "use the model that the checkpoint was made with",
            )
        variable.assign(value)


def weights_of_positives(config: Config, films: FilmSet) -> Any:
    """What a positive label weighs in the loss, float32 [classes]."""
    counts = films.manifest.counts
    return positive_weights(
        config.loss,
        [counts[each].positive for each in films.manifest.classes],
        [counts[each].negative for each in films.manifest.classes],
    )
