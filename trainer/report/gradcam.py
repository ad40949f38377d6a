"""Grad-CAM: which places of a film raised a class's logit (Selvaraju et al., ICCV 2017)."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.errors import UsageError

FEWEST_CELLS = 7
"""A map of fewer cells a side says too little about where: a ResNet ends in 7 for films of 224 pixels, in 2 for 64."""


class Maps(NamedTuple):
    """heat float32 [films, height, width], 0 to 1 in each film, all 0 where nothing raised the logit; cells a side."""

    heat: npt.NDArray[np.float32]
    layer: str
    cells: tuple[int, int]


def grad_cam(model: keras.Model, images: tf.Tensor, classes: npt.NDArray[np.int64]) -> Maps:
    """The positive part of a layer's maps, each weighted by its mean gradient, enlarged to the film, largest value 1.

    The gradient is taken at the layer's output, so it is the same whether films have one channel or three.

    Args:
        model: from scaled films to logits; used in inference mode.
        images: float [films, height, width, channels], scaled as the model takes them.
        classes: int [films], the class whose logit is explained.

    Raises:
        UsageError: no layer of the model gives maps.
    """
    layer = explained_layer(model)
    coarse = _coarse(model, layer, images, tf.constant(classes, tf.int32)).numpy()
    heat = tf.image.resize(coarse[..., None], images.shape[1:3], "bilinear").numpy()[..., 0]
    largest = heat.max(axis=(1, 2), keepdims=True)
    scaled = np.divide(heat, largest, out=np.zeros_like(heat), where=largest > 0)
    return Maps(scaled.astype(np.float32), layer.name, (coarse.shape[1], coarse.shape[2]))


def explained_layer(model: keras.Model) -> Any:
    """The last layer that gives maps of ``FEWEST_CELLS`` a side; where none does, the one with the finest maps.

    Raises UsageError if no layer gives maps.
    """
    giving = [layer for layer in model.layers if _gives_maps(layer)]
    if not giving:
        cure = "set report.films_per_class=0, or choose a model with convolutions"
        raise UsageError("model.name", model.name, "has no layer with maps to look at", cure)
    fine = [layer for layer in giving if _cells(layer) >= FEWEST_CELLS]
    return fine[-1] if fine else max(reversed(giving), key=_cells)


def _coarse(model: keras.Model, layer: Any, images: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Heat, float [films, rows, columns]."""
    explained = keras.Model(model.inputs, [layer.output, model.outputs[0]])
    with tf.GradientTape() as tape:
        # Watched, because a trunk whose layers are all frozen is on no tape.
        tape.watch(images)
        maps, logits = explained(images, training=False)
        # Films do not see each other in inference, so the gradient of the sum is each film's own.
        chosen = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
    slopes = tape.gradient(chosen, maps, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    return tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1))


def _gives_maps(layer: Any) -> bool:
    return not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4


def _cells(layer: Any) -> int:
    """Of the shorter side."""
    return int(min(layer.output.shape[1:3]))
