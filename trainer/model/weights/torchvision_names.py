"""The names and axes of torchvision's ResNets (``torchvision.models.resnet``), as ours."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
_BLOCK = re.compile(r"layer([1-4])\.(\d+)\.(conv|bn)([1-3])\.(\w+)")
_PROJECTION = re.compile(r"layer([1-4])\.(\d+)\.downsample\.([01])\.(\w+)")

Arrays = Mapping[str, npt.NDArray[Any]]


def is_torchvision(arrays: Arrays) -> bool:
    """Whether the names are those of a torchvision ResNet."""
    return "conv1.weight" in arrays and "bn1.running_mean" in arrays


def renamed(arrays: Arrays) -> dict[str, npt.NDArray[Any]]:
    """By our names: kernels [height, width, in, out] instead of [out, in, height, width], the head [in, out].

    Names that no ResNet of torchvision has keep their own, so that a check for leftovers shows them.
    """
    found = {}
    for name, value in arrays.items():
        # Counts the batches that moved the statistics; nothing is computed with it.
        if not name.endswith("num_batches_tracked"):
            found[_our_name(name)] = _our_axes(value)
    return found


def _our_name(name: str) -> str:
    if match := _BLOCK.fullmatch(name):
        stage, block, kind, part, field = match.groups()
        return f"stage{stage}_block{block}_{_layer(kind)}{part}/{_field(kind, field)}"
    if match := _PROJECTION.fullmatch(name):
        stage, block, place, field = match.groups()
        kind = "conv" if place == "0" else "bn"
        return f"stage{stage}_block{block}_projection_{_layer(kind)}/{_field(kind, field)}"
    layer, _, field = name.rpartition(".")
    outside = {"conv1": ("stem_conv", "conv"), "bn1": ("stem_norm", "bn"), "fc": ("head", "conv")}
    if layer in outside:
        ours, kind = outside[layer]
        return f"{ours}/{_field(kind, field)}"
    return name


def _layer(kind: str) -> str:
    return "conv" if kind == "conv" else "norm"


def _field(kind: str, field: str) -> str:
    return _NORM.get(field, field) if kind == "bn" else {"weight": "kernel"}.get(field, field)


def _our_axes(value: npt.NDArray[Any]) -> npt.NDArray[Any]:
    axes = {4: (2, 3, 1, 0), 2: (1, 0)}.get(value.ndim)
    return value if axes is None else np.ascontiguousarray(value.transpose(axes))
