"""What a checkpoint holds: the arrays by their stable names, and where the run stands."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy.typing as npt

from trainer.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """Where a run stands: ``step`` updates done, ``batch`` of ``epoch`` is the next one (all from 0)."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    attempt: int = 1
    parent: int = 0
    """The attempt that wrote the checkpoint which this one went on from; 0: it began anew."""
    best_auroc: float | None = None
    best: str = ""
    """The name of the checkpoint that validated best, maybe this very one; empty: none has yet."""
    validations_without_improvement: int = 0
    stopped_early: bool = False
    run: dict[str, Any] = field(default_factory=dict)
    """What made the weights: configuration, data sets' hashes, program version."""

    def to_json(self) -> bytes:
        """Readable JSON with sorted keys."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "State":
        """What ``to_json`` wrote; raises DataError for another program version's."""
        try:
            return cls(**json.loads(content))
        except (ValueError, TypeError) as error:
            rule = f"is of another version ({error})"
            raise DataError("checkpoint", "state.json", rule, "use that version") from error


@dataclass(frozen=True)
class Snapshot:
    """Copies of all that training changes, out of the device."""

    model: Arrays
    optimizer: Arrays
    state: State
