"""Where a rank stands right now, in a file that whoever watches it maps: a rank that hangs is told from one that waits.

Writing costs a microsecond or two and wakes nobody up.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

FILE_VARIABLE = "CXR_TRAIN_BEAT"
"""Environment variable naming the file a rank keeps; unset: it keeps none."""

PHASES = ("starting", "validating", "saving", "films", "step", "scoring")
"""In the order of a step's life: an epoch's end may come first, then films are waited for, then it is computed."""

_UNKNOWN = float("nan")


@dataclass(frozen=True)
class Beat:
    """What a rank tells. Counts are whole numbers; NaN is what it does not know (yet)."""

    phase: str = "starting"
    step: float = 0.0
    steps: float = 0.0
    epoch: float = 0.0
    scored: float = 0.0
    """Batches scored so far: validation and evaluation are alive as long as it moves."""
    loss: float = _UNKNOWN
    auroc: float = _UNKNOWN
    films_per_second: float = _UNKNOWN
    eta_seconds: float = _UNKNOWN


_NUMBERS = tuple(each.name for each in fields(Beat) if each.name != "phase")
_FORM = struct.Struct(f"<{1 + len(_NUMBERS)}d")
SIZE_BYTES = _FORM.size


class Pulse:
    """A rank's own beat, kept in the file that the environment names, or nowhere."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._beat = Beat()
        self._memory: bytearray | mmap.mmap = bytearray(SIZE_BYTES)
        if name := environment.get(FILE_VARIABLE):
            with Path(name).open("w+b") as file:
                file.truncate(SIZE_BYTES)
                self._memory = mmap.mmap(file.fileno(), SIZE_BYTES)
        self.tell()

    def tell(self, **changes: Any) -> None:
        """Keep the fields of Beat that have changed."""
        self._beat = beat = replace(self._beat, **changes)
        numbers = (float(getattr(beat, name)) for name in _NUMBERS)
        _FORM.pack_into(self._memory, 0, float(PHASES.index(beat.phase)), *numbers)

    def enter(self, phase: str) -> None:
        """The rank is in that phase from now on."""
        self.tell(phase=phase)

    def scored(self, done: int, total: int) -> None:  # noqa: ARG002 - a watch of trainer.scoring
        """One batch more is scored."""
        self.tell(scored=self._beat.scored + 1)


def read(file: Path) -> Beat | None:
    """The beat in a file; None before its rank has begun to keep it."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) != SIZE_BYTES:
        return None
    phase, *numbers = _FORM.unpack(content)
    return Beat(PHASES[int(phase)], *numbers)
