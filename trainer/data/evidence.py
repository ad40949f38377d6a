"""What shows which films a batch held: their places in the set, and a checksum of the pixels that were read."""

from typing import Any, NamedTuple

import google_crc32c
import numpy as np
import numpy.typing as npt

from trainer.data.film_set import Arrays
from trainer.data.plan import Slots


class Evidence(NamedTuple):
    """Of one rank's part of a batch: the slots as they were read, and ``checksum`` of each film, uint32 [n]."""

    slots: Slots
    pixels: npt.NDArray[np.uint32]


def evidence(arrays: Arrays) -> Evidence:
    """Of what a reader gives; 3 to 8 microseconds a film of 224 px (docs/results.md)."""
    return Evidence(arrays.slots, np.array([checksum(image) for image in arrays.images], dtype=np.uint32))


def checksum(image: npt.NDArray[Any]) -> int:
    """CRC-32C of a film's pixels, uint8 [height, width, 1] or [height, width]."""
    found: int = google_crc32c.value(np.ascontiguousarray(image).reshape(-1))
    return found
