"""The names of checkpoints, and the manifest that makes one exist: it is written last, and holds the others' hashes.

A checkpoint is ``step-000001234-attempt-000002/{model,optimizer}.safetensors, state.json, manifest.json``. No two
attempts share a name, so a late writer of an older one cannot put its bytes among a newer one's.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from trainer.errors import DataError

MANIFEST = "manifest.json"
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"

_FOLDER = re.compile(r"step-(\d{9})-attempt-(\d{6})")


@dataclass(frozen=True, order=True)
class Mark:
    """Which checkpoint. The greater is the newer: what an older attempt wrote late, the newer one has undone."""

    attempt: int
    step: int

    @property
    def folder(self) -> str:
        """Its name."""
        return f"step-{self.step:09d}-attempt-{self.attempt:06d}"

    @classmethod
    def named(cls, folder: str) -> "Mark | None":
        """The checkpoint of that name; None if it is not one's."""
        found = _FOLDER.fullmatch(folder)
        return cls(attempt=int(found[2]), step=int(found[1])) if found else None

    def file(self, name: str) -> str:
        """The name of one of its objects."""
        return f"{self.folder}/{name}"


@dataclass(frozen=True)
class Written:
    """An object as it was written."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint is made of. ``batch`` of ``epoch`` is the next one: 0 at the end of an epoch."""

    epoch: int
    batch: int
    files: Mapping[str, Written]

    def to_json(self) -> bytes:
        """Readable JSON with sorted keys."""
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, mark: Mark, content: bytes) -> "Manifest":
        """What ``to_json`` wrote; raises DataError if it is damaged."""
        try:
            found = json.loads(content)
            files = {name: Written(**each) for name, each in found["files"].items()}
            return cls(int(found["epoch"]), int(found["batch"]), files)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            rule, cure = f"is damaged ({error!r})", "use an older one, or delete it"
            raise DataError("checkpoint", mark.file(MANIFEST), rule, cure) from error
