"""What the readers of the benchmark ``peers`` have in common: the ways in which each is measured.

Nothing but NumPy is imported beside the standard library: other libraries' readers live in an environment of their own.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.channel import Parent, Settings, serve


class Reading(Protocol):
    """An opened set. What it hands over: images uint8 [batch, height, width(, 1)], labels float32 [batch, classes]."""

    def batches(self, first: int) -> Iterator[tuple[Any, Any]]:
        """The next epoch from batch ``first`` on, in shuffled order, as the library's own tensors."""

    def close(self) -> None:
        """Ends what goes on in the background."""


class Ways:
    """An epoch, in the ways that are compared. Each returns what was read, and in how many seconds.

    Args:
        given: films, batch.
        opened: opens the set as a new process does; imports are over.
    """

    def __init__(self, given: Settings, opened: Callable[[], Reading]) -> None:
        self._batch, self._middle = given["batch"], given["films"] // given["batch"] // 2
        self._opened = opened
        self._kept = opened()
        self._read(self._kept)

    def first_epoch(self) -> dict[str, float]:
        """Of a new process: the set's opening, and whatever is checked then, included."""
        began = time.perf_counter()
        reading = self._opened()
        films = self._read(reading)
        seconds = time.perf_counter() - began
        reading.close()
        return {"films": films, "seconds": seconds}

    def later_epoch(self) -> dict[str, float]:
        """Of a set that has been read before."""
        began = time.perf_counter()
        return {"films": self._read(self._kept), "seconds": time.perf_counter() - began}

    def resume(self) -> dict[str, float]:
        """Of a new process that goes on in mid-epoch, to its first batch."""
        began = time.perf_counter()
        reading = self._opened()
        batches = reading.batches(self._middle)
        images, _ = next(batches)
        seconds = time.perf_counter() - began
        left = sum(1 for _ in batches)
        reading.close()
        return {"films": len(images) * (1 + left), "seconds": seconds}

    def totals(self) -> dict[str, float]:
        """Sums over an epoch: the same of all readers, if they read the same films."""
        pixels, labels = 0, 0.0
        for images, findings in self._kept.batches(0):
            pixels += int(images.numpy().sum(dtype=np.int64))
            labels += float(findings.numpy().sum())
        return {"pixels": pixels, "labels": labels}

    def _read(self, reading: Reading) -> int:
        return sum(len(images) for images, _ in reading.batches(0))


def measure_ways(parent: Parent, given: Settings, opened: Callable[[], Reading]) -> None:
    """One way at each request."""
    ways = Ways(given, opened)
    names = (ways.first_epoch, ways.later_epoch, ways.resume, ways.totals)
    by_name = {each.__name__: each for each in names}
    serve(parent, lambda way: by_name[way]())


def made(folder: Path, write: Callable[[Path], None]) -> Path:
    """The folder, written if it is not there; a half one is never there."""
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        write(part)
        part.replace(folder)
    return folder


def films_of(given: Settings) -> tuple[Any, Any]:
    """All films, uint8 [films, height, width], and their labels, float32 [films, classes]."""
    side = given["image_size"]
    labels = np.load(given["labels"])
    return np.memmap(given["pixels"], np.uint8, "r", shape=(len(labels), side, side)), labels
