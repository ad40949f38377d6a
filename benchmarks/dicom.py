"""Reading DICOM films of 2000x2500 pixels of 12 bits, by transfer syntax, on one core."""

import time
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit

from benchmarks.result import Finding
from tests.dicom_files import ALL, ANY, file_of
from trainer.data.film.dicom import read_dicom

MINUTES = 1.0

_FULL, _QUICK = (2500, 2000), (250, 200)
_REPETITIONS = 5


def measure(*, quick: bool) -> list[Finding]:
    """From the bytes of the file to uint8, in a core's own seconds; one reading before imports the decoder."""
    stored = _film(*(_QUICK if quick else _FULL))
    return [_reading(stored, syntax) for syntax in ALL if syntax != ExplicitVRLittleEndian]


def _reading(stored: npt.NDArray[np.uint16], syntax: UID) -> Finding:
    bits = 8 if syntax == JPEGBaseline8Bit else 12
    pixels: npt.NDArray[Any] = (stored >> 4).astype(np.uint8) if bits == 8 else stored
    data = file_of(pixels, syntax, bits=bits, WindowCenter=1 << bits - 1, WindowWidth=1 << bits)
    seconds = [_seconds(data) for _ in range(1 + _REPETITIONS)][1:]
    speeds = [1 / each for each in seconds]
    what = f"{syntax.keyword}, {bits} bits, {len(data) / 1e6:.1f} MB"
    return Finding(what, {"read_dicom": speeds}, "films/s", median(seconds) * 1000, "ms")


def _seconds(data: bytes) -> float:
    began = time.process_time()
    read_dicom(data, name="film.dcm", rules=ANY)
    return time.process_time() - began


def _film(height: int, width: int) -> npt.NDArray[np.uint16]:
    """Broad shapes with as much noise as a detector has: uint16 [height, width] of 12 bits."""
    y, x = np.mgrid[:height, :width]
    shapes = (np.sin(x / width * 7) * np.cos(y / height * 9) + 1) * 1800
    noise = np.random.default_rng(0).normal(0, 20, (height, width))
    return np.asarray((shapes + noise).clip(0, 4095), dtype=np.uint16)
