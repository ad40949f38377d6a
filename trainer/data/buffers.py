"""Memory for batches, used again once nobody holds what was in it: new pages cost more than the bytes copied there."""

import sys
import threading
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

# Bytes; TensorFlow's kernels may take it for granted that a tensor starts on this boundary.
_ALIGNMENT = 64

_KEPT = 16
"""Buffers at most; a consumer that holds more batches gets memory of its own for them."""

# Of a buffer that nobody has: the list, the loop's variable, and the argument of getrefcount.
_REFERENCES_OF_FREE = 3


class Buffers:
    """Hands out arrays of bytes, safe to share between threads; what is held as a view or a tensor is not free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[Bytes] = []

    def take(self, *sizes: int) -> list[Bytes]:
        """Arrays uint8 [bytes] of those sizes, all in one buffer, each aligned, their content whatever was there."""
        starts = [0, *accumulate(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]
        memory = self._free(starts[-1] + _ALIGNMENT)
        first = -memory.__array_interface__["data"][0] % _ALIGNMENT
        return [memory[first + start : first + start + size] for start, size in zip(starts, sizes, strict=False)]

    def _free(self, size: int) -> Bytes:
        with self._lock:
            for memory in self._made:
                if sys.getrefcount(memory) == _REFERENCES_OF_FREE and memory.size == size:
                    return memory
            memory = np.empty(size, dtype=np.uint8)
            if len(self._made) == _KEPT:
                self._made.pop(0)
            self._made.append(memory)
            return memory
