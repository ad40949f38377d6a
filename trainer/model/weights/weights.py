"""Weights in memory: arrays by the paths of our variables, and what is known of their network."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.model.layout import Name

KEY = "model.weights"

Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Weights:
    """Arrays by the paths of our variables, and what is known of the network they belong to."""

    arrays: Arrays
    layout: Name | None
    """None: a file of our own that does not say."""
    classes: tuple[str, ...] = ()
    """Of the head's outputs, where the file says."""


def as_float32(values: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """The arrays in float32, in which variables are kept."""
    return {name: np.asarray(each, np.float32) for name, each in values.items()}
