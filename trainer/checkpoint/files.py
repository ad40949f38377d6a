"""Checkpoints in a folder: committed by their manifest, verified before they are used.

A checkpoint is ``step-000001234/{model,optimizer}.safetensors, state.json, manifest.json``. The manifest holds the
sizes and SHA-256 of the others and is written last: a folder without one does not exist, whatever else is in it.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from trainer.checkpoint.attempt import Attempt
from trainer.durable import sync, write_durably
from trainer.errors import DataError

Arrays = dict[str, npt.NDArray[Any]]

BEST = "best.json"
"""Beside the checkpoints: names the one that validated best."""

_STEP = re.compile(r"step-(\d{9})")
_PARTIAL = re.compile(r"step-\d{9}\.(\d{6})\.(?:new|old)")
_MANIFEST = "manifest.json"
_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


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
    validations_without_improvement: int = 0
    stopped_early: bool = False
    run: dict[str, Any] = field(default_factory=dict)
    """What made the weights: configuration, data sets' hashes, program version."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in memory: arrays by their stable names, and the state."""

    model: Arrays
    optimizer: Arrays
    state: State


@dataclass(frozen=True)
class Commit:
    """What writing a checkpoint took."""

    folder: Path
    step: int
    time: float
    """Unix time at the commit."""
    seconds: float
    size_bytes: int


def commit(directory: Path, checkpoint: Checkpoint, attempt: Attempt) -> Commit:
    """Writes and commits one checkpoint; raises DataError if a newer attempt owns the directory."""
    began = time.perf_counter()
    attempt.refuse_if_older()
    final = directory / f"step-{checkpoint.state.step:09d}"
    # A name of the attempt's own: a late writer of an older one must not put its bytes among these.
    folder = _partial(final, attempt.number)
    discard(folder)
    folder.mkdir(parents=True)
    save_file(_contiguous(checkpoint.model), folder / "model.safetensors")
    save_file(_contiguous(checkpoint.optimizer), folder / "optimizer.safetensors")
    (folder / "state.json").write_bytes(as_json(asdict(checkpoint.state)))
    files = {name: _fingerprint(folder / name) for name in _FILES}
    for name in _FILES:
        sync(folder / name)
    attempt.refuse_if_older()
    write_durably(folder / _MANIFEST, as_json({"attempt": attempt.number, "files": files}))
    _replace(final, folder, attempt.number)
    size_bytes = sum(each["bytes"] for each in files.values())
    return Commit(final, checkpoint.state.step, time.time(), time.perf_counter() - began, size_bytes)


def in_order(directory: Path) -> list[Path]:
    """The folders of checkpoints, committed or not, the newest first."""
    return sorted((each for each in directory.glob("step-*") if _STEP.fullmatch(each.name)), reverse=True)


def is_committed(folder: Path) -> bool:
    """Whether its manifest is there."""
    return (folder / _MANIFEST).exists()


def left_behind(directory: Path, attempt: Attempt) -> list[Path]:
    """What writers of this attempt and older ones have left when they were killed."""
    found = ((_PARTIAL.fullmatch(each.name), each) for each in directory.glob("step-*"))
    return [folder for match, folder in found if match and int(match[1]) <= attempt.number]


def newest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and a line for each newer one that was skipped and why."""
    skipped: list[str] = []
    for folder in in_order(directory):
        try:
            return load(folder), skipped
        except DataError as error:
            skipped.append(str(error))
    return None, skipped


def best(directory: Path) -> Path:
    """The folder of the best checkpoint, else of the newest good one. Raises DataError if there is none."""
    return pointed_at(directory) or last(directory)


def pointed_at(directory: Path) -> Path | None:
    """The folder that ``best.json`` names, if it is there. Raises DataError if it is damaged."""
    pointer = directory / BEST
    return directory / Path(str(_entry(pointer, "checkpoint"))).name if pointer.exists() else None


def last(directory: Path) -> Path:
    """The folder of the newest checkpoint that verifies. Raises DataError if there is none."""
    found, skipped = newest(directory)
    if found is None:
        why = f" ({'; '.join(skipped)})" if skipped else ""
        raise DataError(
            "checkpoint.directory", str(directory), f"has no good checkpoint{why}", "train first, or correct the path"
        )
    return directory / f"step-{found.state.step:09d}"


def load(folder: Path) -> Checkpoint:
    """Reads one checkpoint. Raises DataError if it was never committed or any byte of it has changed."""
    if not is_committed(folder):
        raise DataError("checkpoint", folder.name, "was never committed (no manifest.json)", "use an older one")
    files = _entry(folder / _MANIFEST, "files")
    for name in _FILES:
        _verify(folder / name, files.get(name))
    return Checkpoint(
        load_file(folder / "model.safetensors"),
        load_file(folder / "optimizer.safetensors"),
        state_from_json((folder / "state.json").read_bytes()),
    )


def state_from_json(data: bytes) -> State:
    """The State that ``asdict`` and JSON made these bytes of; raises DataError for another program version's."""
    try:
        return State(**json.loads(data))
    except TypeError as error:
        raise DataError("checkpoint", "state.json", f"is of another version ({error})", "use that version") from error


def _entry(file: Path, key: str) -> Any:
    """One value of a JSON file; raises DataError if the file is damaged."""
    try:
        return json.loads(file.read_bytes())[key]
    except (ValueError, KeyError, TypeError) as error:
        where = f"{file.parent.name}/{file.name}"
        raise DataError("checkpoint", where, f"is damaged ({error!r})", "use an older one, or delete it") from error


def _verify(file: Path, expected: Mapping[str, Any] | None) -> None:
    if not file.exists() or _fingerprint(file) != expected:
        raise DataError(
            "checkpoint", f"{file.parent.name}/{file.name}", "is not what its manifest says", "use an older one"
        )


def _partial(final: Path, attempt: int, kind: Literal["new", "old"] = "new") -> Path:
    return final.with_name(f"{final.name}.{attempt:06d}.{kind}")


def _replace(final: Path, folder: Path, attempt: int) -> None:
    """Puts the folder in the final one's place; the old one is out of the way for no longer than a rename takes."""
    old = _partial(final, attempt, "old")
    if final.exists():
        final.replace(old)
    folder.replace(final)
    sync(final.parent)
    discard(old)


def discard(folder: Path) -> None:
    """Deletes a checkpoint, its manifest first, so that it is gone before it is incomplete."""
    (folder / _MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _contiguous(arrays: Arrays) -> Arrays:
    return {name: np.asarray(each, order="C") for name, each in arrays.items()}


def as_json(value: Any) -> bytes:
    """Readable JSON with sorted keys."""
    return json.dumps(value, indent=1, sort_keys=True).encode()
