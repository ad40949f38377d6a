"""Checkpoints in a folder: written in the background, committed by their manifest, verified before they are used.

A checkpoint is ``step-000001234/{model,optimizer}.safetensors, state.json, manifest.json``. The manifest holds the
sizes and SHA-256 of the others and is written last: a folder without one does not exist, whatever else is in it.
"""

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from trainer.errors import CxrError, DataError

Arrays = dict[str, npt.NDArray[Any]]

_PARTIAL = ".partial"
_STEP = re.compile(r"step-(\d{9})")
_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


@dataclass(frozen=True)
class State:
    """Where a run stands: ``step`` updates done, ``batch`` of ``epoch`` is the next one (all from 0)."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    attempt: int = 1
    best_auroc: float | None = None
    epochs_without_improvement: int = 0
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
    seconds: float
    size_bytes: int


class Attempt:
    """This start of a run, numbered; a commit by an older one is refused.

    The number is claimed by creating its file exclusively, so two starts never share one.
    Raises DataError if the directory cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._claims = directory / "attempts"
        try:
            self._claims.mkdir(parents=True, exist_ok=True)
            self.number = self._newest() + 1
            while not self._claim():
                self.number += 1
        except OSError as error:
            raise _unwritable(directory, error) from error

    def _newest(self) -> int:
        return max((int(claim.name) for claim in self._claims.iterdir() if claim.name.isdigit()), default=0)

    def _claim(self) -> bool:
        try:
            (self._claims / f"{self.number:06d}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def refuse_if_older(self) -> None:
        """Raises DataError if a newer attempt has started since."""
        newest = self._newest()
        if newest > self.number:
            raise DataError(
                "checkpoint.directory",
                str(self._claims.parent),
                f"belongs to attempt {newest}; this is attempt {self.number}",
                "let the newer one run, or give this run a directory of its own",
            )


class Writer:
    """Writes checkpoints in a thread of its own, one at a time; only rank 0 has one.

    An error of the thread is raised by the next call, so that none is lost.
    """

    def __init__(self, directory: Path, attempt: Attempt, keep_last: int) -> None:
        self._directory, self._attempt, self._keep_last = directory, attempt, keep_last
        self._thread: threading.Thread | None = None
        self._outcome: Commit | BaseException | None = None

    def start(self, checkpoint: Checkpoint, *, best: bool = False) -> Commit | None:
        """Begins writing; waits for the one before. ``best`` also points best.json at it. Returns that one's Commit."""
        before = self.wait()
        self._thread = threading.Thread(target=self._run, args=(checkpoint, best), name="checkpoint")
        self._thread.start()
        return before

    def wait(self) -> Commit | None:
        """Waits until what was begun is committed; raises what hindered it. None if nothing was under way."""
        if self._thread is None:
            return None
        self._thread.join()
        outcome, self._thread, self._outcome = self._outcome, None, None
        if isinstance(outcome, OSError | SafetensorError):
            raise _unwritable(self._directory, outcome) from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _run(self, checkpoint: Checkpoint, best: bool) -> None:
        try:
            self._outcome = commit(self._directory, checkpoint, self._attempt)
            if best:
                _write_durably(self._directory / "best.json", _json({"checkpoint": self._outcome.folder.name}))
            _retain(self._directory, self._outcome.folder, self._keep_last)
        except (CxrError, OSError, SafetensorError) as error:
            self._outcome = error


def commit(directory: Path, checkpoint: Checkpoint, attempt: Attempt) -> Commit:
    """Writes and commits one checkpoint; raises DataError if a newer attempt owns the directory."""
    began = time.perf_counter()
    final = directory / f"step-{checkpoint.state.step:09d}"
    folder = final.with_suffix(_PARTIAL)
    _discard(folder)
    folder.mkdir(parents=True)
    save_file(_contiguous(checkpoint.model), folder / "model.safetensors")
    save_file(_contiguous(checkpoint.optimizer), folder / "optimizer.safetensors")
    (folder / "state.json").write_bytes(_json(asdict(checkpoint.state)))
    files = {name: _fingerprint(folder / name) for name in _FILES}
    for name in _FILES:
        _sync(folder / name)
    attempt.refuse_if_older()
    _write_durably(folder / "manifest.json", _json({"attempt": attempt.number, "files": files}))
    _discard(final)
    folder.replace(final)
    _sync(directory)
    return Commit(final, time.perf_counter() - began, sum(each["bytes"] for each in files.values()))


def newest(directory: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and a line for each newer one that was skipped and why."""
    skipped: list[str] = []
    folders = sorted((each for each in directory.glob("step-*") if _STEP.fullmatch(each.name)), reverse=True)
    for folder in folders:
        try:
            return load(folder), skipped
        except DataError as error:
            skipped.append(str(error))
    return None, skipped


def best(directory: Path) -> Path:
    """The folder of the best checkpoint, else of the newest good one. Raises DataError if there is none."""
    pointer = directory / "best.json"
    if pointer.exists():
        return directory / Path(str(_entry(pointer, "checkpoint"))).name
    return last(directory)


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
    manifest_file = folder / "manifest.json"
    if not manifest_file.exists():
        raise DataError("checkpoint", folder.name, "was never committed (no manifest.json)", "use an older one")
    files = _entry(manifest_file, "files")
    for name in _FILES:
        _verify(folder / name, files.get(name))
    return Checkpoint(
        load_file(folder / "model.safetensors"),
        load_file(folder / "optimizer.safetensors"),
        State(**json.loads((folder / "state.json").read_bytes())),
    )


def _entry(file: Path, key: str) -> Any:
    """One value of a JSON file; raises DataError if the file is damaged."""
    try:
        return json.loads(file.read_bytes())[key]
    except (ValueError, KeyError, TypeError) as error:
        where = f"{file.parent.name}/{file.name}"
        raise DataError("checkpoint", where, f"is damaged ({error!r})", "use an older one, or delete it") from error


def _unwritable(directory: Path, error: OSError | SafetensorError) -> DataError:
    return DataError("checkpoint.directory", str(directory), f"cannot be written ({error})", "free or mount it")


def _verify(file: Path, expected: Mapping[str, Any] | None) -> None:
    if not file.exists() or _fingerprint(file) != expected:
        raise DataError(
            "checkpoint", f"{file.parent.name}/{file.name}", "is not what its manifest says", "use an older one"
        )


def _retain(directory: Path, written: Path, keep_last: int) -> None:
    """Deletes all but the newest ``keep_last`` up to ``written``, and the best.

    One that is newer than what was just written did not verify when the run went on from before it.
    """
    folders = sorted((each for each in directory.glob("step-*") if _STEP.fullmatch(each.name)), reverse=True)
    committed = [each for each in folders if each.name <= written.name and (each / "manifest.json").exists()]
    kept = {*committed[:keep_last], best(directory)}
    for folder in {*folders, *directory.glob(f"step-*{_PARTIAL}")} - kept:
        _discard(folder)


def _discard(folder: Path) -> None:
    (folder / "manifest.json").unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)


def _fingerprint(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _contiguous(arrays: Arrays) -> Arrays:
    return {name: np.asarray(each, order="C") for name, each in arrays.items()}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _write_durably(file: Path, data: bytes) -> None:
    partial = file.with_name(f"{file.name}.partial")
    partial.write_bytes(data)
    _sync(partial)
    partial.replace(file)
    _sync(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
