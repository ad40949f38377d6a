"""Writes one checkpoint into a run's store: in parts, the manifest last; and deletes one, the manifest first."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.history import FILE as HISTORY
from trainer.checkpoint.manifest import MANIFEST, MODEL, OPTIMIZER, STATE, Manifest, Mark, Written
from trainer.checkpoint.snapshot import Arrays, Snapshot
from trainer.checkpoint.tensors import encoded
from trainer.data.store.store import Store
from trainer.model.weights import metadata


@dataclass(frozen=True)
class Commit:
    """What writing a checkpoint took."""

    mark: Mark
    time: float
    """Unix time at the commit."""
    seconds: float
    size_bytes: int


def commit(store: Store, snapshot: Snapshot, history: bytes, attempt: Attempt) -> Commit:
    """Writes and commits one checkpoint, and the run's history up to it.

    Raises DataError if a newer attempt owns the run, StoreDown.
    """
    began = time.perf_counter()
    state = snapshot.state
    attempt.refuse_if_older()
    mark = Mark(attempt.number, state.step)
    files = {
        MODEL: write_arrays(store, mark.file(MODEL), snapshot.model, metadata.written(state.run)),
        OPTIMIZER: write_arrays(store, mark.file(OPTIMIZER), snapshot.optimizer),
        STATE: _write(store, mark.file(STATE), [state.to_json()]),
    }
    attempt.refuse_if_older()
    # Before the manifest: rows that a checkpoint is missing for are dropped by a resume, missing rows cannot be made.
    store.write(HISTORY, history)
    store.write(mark.file(MANIFEST), Manifest(state.epoch, state.batch, files).to_json())
    size_bytes = sum(each.bytes for each in files.values())
    return Commit(mark, time.time(), time.perf_counter() - began, size_bytes)


def write_arrays(store: Store, name: str, arrays: Arrays, said: Mapping[str, str] | None = None) -> Written:
    """Writes arrays as safetensors, in parts, so that memory holds them once."""
    return _write(store, name, encoded(arrays, said))


def discard(store: Store, folder: str, objects: Iterable[str]) -> None:
    """Deletes the objects of a checkpoint, its manifest first, so that it is gone before it is incomplete."""
    store.delete([f"{folder}/{MANIFEST}"])
    store.delete([each for each in objects if each != f"{folder}/{MANIFEST}"])


def _write(store: Store, name: str, parts: Iterable[bytes]) -> Written:
    digest, size_bytes = hashlib.sha256(), 0
    with store.writing(name) as sink:
        for part in parts:
            digest.update(part)
            size_bytes += len(part)
            sink.write(part)
    return Written(size_bytes, digest.hexdigest())
