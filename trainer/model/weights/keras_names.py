"""The stock ResNets of ``keras.applications``, read by Keras itself and renamed as ours."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy.typing as npt

from trainer.errors import DataError

# By the number of convolutions in the third and fourth stage, which tell the stock networks apart.
_STOCK = {
    (4, 6): keras.applications.ResNet50,
    (4, 23): keras.applications.ResNet101,
    (8, 36): keras.applications.ResNet152,
}
_BY_NAME = {
    "resnet50": keras.applications.ResNet50,
    "resnet101": keras.applications.ResNet101,
    "resnet152": keras.applications.ResNet152,
}
_BLOCK = re.compile(r"conv([2-5])_block(\d+)_([0-3])_(conv|bn)")


def read(path: Path, shown: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a stock network's HDF5 file, by our names. Raises DataError if it is of another network."""
    with h5py.File(path) as file:
        shapes: list[tuple[int, ...]] = []
        file.visititems(lambda _, each: shapes.append(each.shape) if isinstance(each, h5py.Dataset) else None)
    stem = [shape for shape in shapes if len(shape) == 4 and shape[0] == 7]
    kernels = [shape for shape in shapes if len(shape) == 4]
    stock = _stock_of(kernels)
    if len(stem) != 1 or stock is None:
        rule = f"holds {len(kernels)} convolutions, which is no stock ResNet50, 101 or 152 of Keras"
        raise DataError("model.weights", shown, rule, "name a file of keras.applications' ResNets")
    heads = [shape[1] for shape in shapes if len(shape) == 2]
    model = stock(
        weights=None,
        include_top=bool(heads),
        classes=heads[0] if heads else 1000,
        classifier_activation=None,
        input_shape=(64, 64, stem[0][2]) if not heads else (224, 224, stem[0][2]),
    )
    model.load_weights(path)
    return renamed(model)


def imagenet(name: str) -> dict[str, npt.NDArray[Any]]:
    """ImageNet's weights of a stock network, without its head, downloaded by Keras or from its cache.

    Raises DataError where Keras offers none, or cannot get them.
    """
    if name not in _BY_NAME:
        rule = f"is not offered by keras.applications for {name}"
        cure = f"choose one of {', '.join(_BY_NAME)}, or name a file, such as torchvision's saved as safetensors"
        raise DataError("model.weights", "imagenet", rule, cure)
    try:
        return renamed(_BY_NAME[name](weights="imagenet", include_top=False))
    except Exception as error:  # Keras raises a bare Exception where a download fails.
        reason = " ".join(str(error).split())
        cure = "connect the machine, or download the file elsewhere and name it"
        raise DataError("model.weights", "imagenet", f"could not be had ({reason})", cure) from error


def renamed(model: keras.Model) -> dict[str, npt.NDArray[Any]]:
    """A stock network's variables by our names."""
    return {f"{_our_layer(layer.name)}/{each.name}": each.numpy() for layer in model.layers for each in layer.variables}


def _our_layer(name: str) -> str:
    outside = {"conv1_conv": "stem_conv", "conv1_bn": "stem_norm", "predictions": "head"}
    match = _BLOCK.fullmatch(name)
    if match is None:
        return outside.get(name, name)
    stage, block, part, kind = match.groups()
    prefix = f"stage{int(stage) - 1}_block{int(block) - 1}"
    layer = "conv" if kind == "conv" else "norm"
    return f"{prefix}_projection_{layer}" if part == "0" else f"{prefix}_{layer}{part}"


def _stock_of(kernels: Sequence[tuple[int, ...]]) -> Any:
    """The network with that many 3x3 kernels of 128 and of 256 filters."""
    third, fourth = (sum(shape[0] == 3 and shape[3] == width for shape in kernels) for width in (128, 256))
    return _STOCK.get((third, fourth))
