"""Networks that look trained: batch norm's numbers are not those of a start."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from trainer.config import ModelConfig
from trainer.model.registry import build

SIDE = 32
CLASSES = ("No Finding", "Mass", "Pleural_Thickening")

MakeNetwork = Callable[..., tuple[keras.Model, ModelConfig]]


@pytest.fixture(scope="session")
def make_network() -> MakeNetwork:
    def make(name: str, **settings: Any) -> tuple[keras.Model, ModelConfig]:
        keras.utils.set_random_seed(0)
        config = ModelConfig(name=name, **settings)
        model = build(config, classes=len(CLASSES), image_size=SIDE)
        random = np.random.default_rng(0)
        for each in model.variables:
            if each.name == "moving_variance":
                each.assign(random.uniform(0.5, 2.0, each.shape))
            elif each.name in ("gamma", "beta", "moving_mean", "bias"):
                each.assign(each.numpy() + 0.1 * random.normal(size=each.shape))
        return model, config

    return make
