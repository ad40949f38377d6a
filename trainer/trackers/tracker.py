"""The interface of a tracker: it is told of rows in their order, and may fail at any time."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from trainer.checkpoint.history import Row
from trainer.errors import CxrError

Outcome = Literal["finished", "stopped", "failed"]
"""Of an attempt; one that was stopped by a signal may go on."""

Pictures = Callable[[], npt.NDArray[np.float32]]
"""Makes films [n, height, width, 1] in 0 to 1; called in the tracker's thread."""


class NotTaken(CxrError):
    """A tracker does not take what it is told. It is asked again, and the run goes on."""


class Tracker(ABC):
    """Told of one run. Whatever it raises, it is begun again later, and told all rows from the first on.

    Its methods are called from one thread, which nothing waits for.
    """

    name: ClassVar[str]

    @abstractmethod
    def begin(self) -> None:
        """Before the first row, and again after a failure."""

    @abstractmethod
    def tell(self, rows: Sequence[Row]) -> None:
        """The next rows of the history; some may have been told by an earlier attempt, or before a failure."""

    def show(self, pictures: Pictures) -> None:  # noqa: B027 - not every tracker shows pictures
        """Films as the run's first step sees them."""

    @abstractmethod
    def end(self, outcome: Outcome) -> None:
        """After the last row."""
