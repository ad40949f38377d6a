"""Weights by a formula, so that two programs in two frameworks have the same without a file between them."""

import zlib

import numpy as np
import numpy.typing as npt


def array(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """An array by its torchvision name: kernels small, variances and scales positive, the rest around 0."""
    drawn = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape)
    if name.endswith("running_var"):
        return (1.0 + 0.5 * np.abs(drawn)).astype(np.float32)
    if name.endswith("weight") and len(shape) == 1:
        return (0.5 + 0.1 * drawn).astype(np.float32)
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 100
    return (drawn * np.sqrt(2.0 / fan_in)).astype(np.float32)


def films(side: int) -> npt.NDArray[np.float32]:
    """Two normalised colour images, float32 [2, side, side, 3]."""
    return array("films", (2, side, side, 3)) * np.float32(10.0)
