"""Weights fitted to a network: every variable of the trunk gets its array, the head what it shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from trainer.errors import DataError
from trainer.labels import shared_classes
from trainer.model.freezing import is_head
from trainer.model.weights.weights import KEY, Weights, as_float32


@dataclass(frozen=True)
class Fitted:
    """What became of the head."""

    head: str
    """``loaded``, ``new``, or which classes are shared."""


def fit(model: keras.Model, weights: Weights, classes: Sequence[str], shown: str) -> Fitted:
    """Sets the network's variables from the weights.

    A three-channel stem becomes a one-channel one by summing its kernels: a gray film is the same in each channel.
    The head is loaded where its classes are the same, in part where some are shared, else left as it is.
    Raises DataError that names the layer and both shapes where a variable of the trunk has no array that fits, or
    an array has no variable.
    """
    found = as_float32(weights.arrays)
    trunk = [each for each in model.variables if not is_head(each.path)]
    for variable in trunk:
        variable.assign(_fitting(variable, found, shown))
    _refuse_leftovers(found, {each.path for each in trunk}, shown)
    return _fit_head([each for each in model.variables if is_head(each.path)], found, weights.classes, classes)


def _fitting(variable: Any, found: dict[str, npt.NDArray[np.float32]], shown: str) -> npt.NDArray[np.float32]:
    path, shape = variable.path, tuple(variable.shape)
    value = found.get(path)
    if value is not None and value.ndim == 4 and value.shape[2] == 3 and shape[2] == 1:
        value = value.sum(axis=2, keepdims=True)
    if value is None or value.shape != shape:
        has = "nothing" if value is None else f"an array of shape {tuple(value.shape)}"
        rule = f"has {has} for {path}, whose shape is {shape}"
        raise DataError(KEY, shown, rule, "choose the model.name that the weights are of, or other weights")
    return value


def _refuse_leftovers(found: dict[str, npt.NDArray[np.float32]], used: set[str], shown: str) -> None:
    for path, value in found.items():
        if path not in used and not is_head(path):
            rule = f"has {path} of shape {tuple(value.shape)}, which the network has not"
            raise DataError(KEY, shown, rule, "choose the model.name that the weights are of, or other weights")


def _fit_head(
    variables: Sequence[Any], found: dict[str, npt.NDArray[np.float32]], theirs: Sequence[str], ours: Sequence[str]
) -> Fitted:
    if not all(each.path in found for each in variables):
        return Fitted("new")
    if tuple(theirs) == tuple(ours) and all(found[each.path].shape == tuple(each.shape) for each in variables):
        for each in variables:
            each.assign(found[each.path])
        return Fitted("loaded")
    shared = shared_classes(ours, theirs)
    below = [each for each in variables if not each.path.startswith("head/")]
    if not shared or any(found[each.path].shape != tuple(each.shape) for each in below):
        return Fitted("new")
    for each in below:
        each.assign(found[each.path])
    to, of = (list(columns) for columns in zip(*shared, strict=True))
    for each in variables:
        if each.path.startswith("head/"):
            value = each.numpy()
            value[..., to] = found[each.path][..., of]
            each.assign(value)
    return Fitted(f"loaded for {len(shared)} of {len(ours)} classes")
