"""One event file, written by TensorFlow's own writer, with the time at which things happened."""

import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

_FLUSHED_BY_US_MILLISECONDS = 24 * 3600 * 1000
_Summary = tf.compat.v1.Summary


class EventFile:
    """A new file in ``folder``, whose name ends with ``suffix``. Raises TensorFlow's errors where it cannot be written.

    ``tf.summary`` knows the time of writing only, and rows may be told long after: the events are made here.
    """

    def __init__(self, folder: Path, suffix: str) -> None:
        before = set(folder.glob(f"*{suffix}"))
        self._writer = tf.raw_ops.SummaryWriter(shared_name=uuid.uuid4().hex, container="")
        tf.raw_ops.CreateSummaryFileWriter(
            writer=self._writer,
            logdir=str(folder),
            max_queue=1 << 20,
            flush_millis=_FLUSHED_BY_US_MILLISECONDS,
            filename_suffix=suffix,
        )
        self.flush()
        (self.path,) = set(folder.glob(f"*{suffix}")) - before

    def scalars(self, values: Mapping[str, float], *, step: int, time: float) -> None:
        """Adds numbers by name; ``time`` is Unix time."""
        self._add([_Summary.Value(tag=name, simple_value=value) for name, value in values.items()], step, time)

    def images(self, films: npt.NDArray[np.float32], name: str, *, step: int, time: float) -> None:
        """Adds films [n, height, width, 1] in 0 to 1, as 8-bit PNG."""
        self._add([_Summary.Value(tag=f"{name}/{row}", image=_png(film)) for row, film in enumerate(films)], step, time)

    def flush(self) -> None:
        """Until all is in the file."""
        tf.raw_ops.FlushSummaryWriter(writer=self._writer)

    def close(self) -> None:
        """Flushes, and writes no more."""
        tf.raw_ops.CloseSummaryWriter(writer=self._writer)

    def abandon(self) -> None:
        """Closes a file that could not be written."""
        with suppress(tf.errors.OpError):
            self.close()

    def _add(self, values: list[Any], step: int, time: float) -> None:
        event = tf.compat.v1.Event(wall_time=time, step=step, summary=_Summary(value=values))
        tf.raw_ops.ImportEvent(writer=self._writer, event=event.SerializeToString())


def _png(film: npt.NDArray[np.float32]) -> Any:
    pixels = np.rint(film * 255.0).astype(np.uint8)
    encoded = tf.io.encode_png(pixels).numpy()
    return _Summary.Image(height=film.shape[0], width=film.shape[1], colorspace=1, encoded_image_string=encoded)
