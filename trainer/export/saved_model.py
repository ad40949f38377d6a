"""The network as a SavedModel: films of any size in, probabilities and thresholds out, all preparation inside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from trainer.export.checking import Score
from trainer.export.resizing import resize
from trainer.export.thresholds import Thresholds

NAME = "saved_model"
BY_CLASS = "by_class"


def write_saved_model(
    folder: Path, stock: keras.Model, classes: Sequence[str], image_size: int, thresholds: Thresholds
) -> None:
    """Writes the folder; signatures take ``films``, uint8 [films, height, width, 1].

    ``serving_default`` gives ``probabilities``, float32 [films, classes], ``classes``, their names, and
    ``threshold_<rule>``, float32 [classes]; ``by_class`` gives a float32 [films] by the name of each class.
    """
    module = tf.Module()
    # What the graph needs, and nothing of Keras's own.
    module.weights = [each.value for each in stock.variables]
    films = tf.TensorSpec([None, None, None, 1], tf.uint8, name="films")

    def probabilities(films: tf.Tensor) -> tf.Tensor:
        return stock(resize(films, image_size), training=False)

    def serve(films: tf.Tensor) -> dict[str, Any]:
        named = {f"threshold_{rule}": tf.constant(values) for rule, values in thresholds.items()}
        return {"probabilities": probabilities(films), "classes": tf.constant(list(classes)), **named}

    def by_class(films: tf.Tensor) -> dict[str, Any]:
        return dict(zip(classes, tf.unstack(probabilities(films), len(classes), axis=1), strict=True))

    signatures = {
        "serving_default": tf.function(serve, input_signature=[films]).get_concrete_function(),
        BY_CLASS: tf.function(by_class, input_signature=[films]).get_concrete_function(),
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


def run_saved_model(folder: Path) -> Score:
    """What takes films, uint8 [films, height, width, 1], and gives probabilities, read back from the folder."""
    loaded = tf.saved_model.load(str(folder))
    return lambda films: loaded.signatures["serving_default"](films=tf.constant(films))["probabilities"].numpy()
