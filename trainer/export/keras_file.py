"""The network as a .keras file, of layers that plain Keras has: stored films in, probabilities out."""

from pathlib import Path

import keras
import numpy as np

from trainer.export.checking import Score

NAME = "model.keras"


def run_keras(file: Path) -> Score:
    """What takes films, uint8 [films, image_size, image_size, 1], and gives probabilities, read back from the file."""
    loaded = keras.models.load_model(file, compile=False, safe_mode=True)
    return lambda films: np.asarray(loaded(films, training=False))
