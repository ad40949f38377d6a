"""Finds checkpoints in a run's store, and reads one: by ranges into memory, every byte verified before it is used."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from trainer.checkpoint.manifest import MANIFEST, MODEL, OPTIMIZER, STATE, Manifest, Mark
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.tensors import decoded
from trainer.data.store.store import Entry, NotThere, Range, Store
from trainer.errors import DataError

_RANGE_BYTES = 8 * 2**20
_RANGES_AT_ONCE = 8


class Loaded(NamedTuple):
    """A checkpoint that was read."""

    mark: Mark
    snapshot: Snapshot


def committed(entries: Iterable[Entry]) -> list[Mark]:
    """The checkpoints among a run's objects, the newest first. One without a manifest does not exist."""
    parts = (each.name.partition("/") for each in entries)
    marks = (Mark.named(folder) for folder, _, name in parts if name == MANIFEST)
    return sorted((each for each in marks if each), reverse=True)


def newest(store: Store) -> tuple[Loaded | None, list[str]]:
    """The newest checkpoint that verifies, and a line for each newer one that was skipped and why."""
    skipped: list[str] = []
    for mark in committed(store.entries()):
        try:
            return Loaded(mark, load(store, mark)), skipped
        except DataError as error:
            skipped.append(str(error))
    return None, skipped


def last(store: Store) -> Loaded:
    """The newest checkpoint that verifies, without its optimizer. Raises DataError if there is none."""
    skipped: list[str] = []
    for mark in committed(store.entries()):
        try:
            return Loaded(mark, load(store, mark, optimizer=False))
        except DataError as error:
            skipped.append(str(error))
    why = f" ({'; '.join(skipped)})" if skipped else ""
    rule = f"has no good checkpoint{why}"
    raise DataError(store.key, store.where, rule, "train first, or correct the path")


def best(store: Store) -> Loaded:
    """The one that validated best by the newest good one's word, else that one itself, without its optimizer.

    Raises DataError if there is none, or if the best one is damaged.
    """
    reached = newest_state(store)
    mark = Mark.named(reached[1].best) if reached else None
    return Loaded(mark, load(store, mark, optimizer=False)) if mark else last(store)


def newest_state(store: Store) -> tuple[Mark, State] | None:
    """How far a run is committed, without reading any array; None if nothing is."""
    for mark in committed(store.entries()):
        try:
            return mark, _state(store, mark, manifest(store, mark))
        except DataError:
            continue
    return None


def load(store: Store, mark: Mark, *, optimizer: bool = True) -> Snapshot:
    """Reads one checkpoint. Raises DataError if it was never committed or any byte of it has changed."""
    found = manifest(store, mark)
    model = decoded(_verified(store, mark, MODEL, found))
    moments = decoded(_verified(store, mark, OPTIMIZER, found)) if optimizer else {}
    return Snapshot(model, moments, _state(store, mark, found))


def manifest(store: Store, mark: Mark) -> Manifest:
    """Of a checkpoint. Raises DataError if it was never committed, or the manifest is damaged."""
    try:
        content = store.read(mark.file(MANIFEST))
    except NotThere as error:
        raise DataError(
            "checkpoint", mark.folder, f"was never committed (no {MANIFEST})", "use an older one"
        ) from error
    return Manifest.from_json(mark, content)


def _state(store: Store, mark: Mark, found: Manifest) -> State:
    return State.from_json(bytes(_verified(store, mark, STATE, found)))


def _verified(store: Store, mark: Mark, name: str, found: Manifest) -> bytearray:
    """An object, if it is what the manifest says. Raises DataError otherwise."""
    expected = found.files.get(name)
    content = _read(store, mark.file(name), expected.bytes) if expected else None
    if expected is None or content is None or hashlib.sha256(content).hexdigest() != expected.sha256:
        raise DataError("checkpoint", mark.file(name), "is not what its manifest says", "use an older one")
    return content


def _read(store: Store, name: str, size_bytes: int) -> bytearray | None:
    """So many bytes of an object, a few ranges at a time into one buffer; None if it has another size."""
    if store.size(name) != size_bytes:
        return None
    # Of its size from the start: one that grows is copied as it does.
    content = bytearray(size_bytes)
    ranges = [Range(start, min(start + _RANGE_BYTES, size_bytes)) for start in range(0, size_bytes, _RANGE_BYTES)]
    for first in range(0, len(ranges), _RANGES_AT_ONCE):
        wanted = ranges[first : first + _RANGES_AT_ONCE]
        for place, part in zip(wanted, store.read_ranges(name, wanted), strict=True):
            content[place.start : place.end] = part
    return content
