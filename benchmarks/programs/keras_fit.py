"""What a notebook does: stock Keras 3, a ResNet-34 of its own layers, float32, ``model.fit`` on data in memory.

Settings: cores, image_size, films.
"""

import time
from typing import Any

import numpy as np

from benchmarks.channel import Parent, serve, settings

_CLASSES = 15
_DEPTHS, _WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)
_WARM_STEPS = 3


def main() -> None:
    """Fits so many steps at each request."""
    given, parent = settings(), Parent()
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(len(given["cores"]))
    tf.config.threading.set_inter_op_parallelism_threads(len(given["cores"]))
    model = _resnet34(keras, given["image_size"])
    model.compile(keras.optimizers.AdamW(1e-4), loss="binary_crossentropy", metrics=[keras.metrics.AUC()])
    random = np.random.default_rng(0)
    images = random.random((given["films"], given["image_size"], given["image_size"], 1), dtype=np.float32)
    labels = (random.random((given["films"], _CLASSES)) < 0.1).astype(np.float32)
    batches = tf.data.Dataset.from_tensors((tf.constant(images), tf.constant(labels))).repeat()

    def measure(films: int, steps: int) -> dict[str, float]:
        del films
        began = time.perf_counter()
        model.fit(batches, steps_per_epoch=steps, verbose=0)
        return {"seconds": time.perf_counter() - began}

    measure(given["films"], _WARM_STEPS)
    serve(parent, measure)


def _resnet34(keras: Any, image_size: int) -> Any:
    layers = keras.layers
    films = keras.Input((image_size, image_size, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(64, 7, 2, padding="same")(films)))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for stage, (depth, width) in enumerate(zip(_DEPTHS, _WIDTHS, strict=True)):
        for index in range(depth):
            x = _block(layers, x, width, 2 if stage and not index else 1)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(films, layers.Dense(_CLASSES, activation="sigmoid")(x))


def _block(layers: Any, x: Any, width: int, stride: int) -> Any:
    y = layers.Conv2D(width, 3, stride, padding="same")(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(width, 3, padding="same")(y))
    if x.shape[-1] != width:
        x = layers.BatchNormalization()(layers.Conv2D(width, 1, stride, padding="same")(x))
    return layers.ReLU()(layers.Add()([x, y]))


if __name__ == "__main__":
    main()
