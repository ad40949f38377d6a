"""Whether every byte of a set is what its manifest says, read once from end to end."""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import NamedTuple

from trainer.data.inspection.sets import PreparedSet
from trainer.data.shard.index import index_name
from trainer.data.shard.patients import refuse_shared_patients
from trainer.data.source.objects import pieces
from trainer.data.store.store import NotThere, Store
from trainer.errors import DataError

_SIDE_BY_SIDE = 4

Progress = Callable[[int, int], None]
"""Called with bytes of shards read and in all, by one thread at a time."""


class _File(NamedTuple):
    store: Store
    name: str
    bytes: int | None
    sha256: str


def verify(sets: Sequence[PreparedSet], progress: Progress) -> None:
    """Reads every shard, index and patients' file, and compares patients between the sets.

    Raises DataError that names each file which is missing or not what the manifest says, or sets that share patients.
    """
    advance = _counted(progress, sum(each.bytes for each in sets))
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as readers:
        faults = list(filter(None, readers.map(lambda file: _fault(file, advance), _files(sets))))
    if faults:
        rule = f"is damaged: {'; '.join(faults)}"
        raise DataError(
            sets[0].store.key, sets[0].store.where, rule, "copy these files anew or run 'cxr-train prepare'"
        )
    for a, b in combinations(sets, 2):
        refuse_shared_patients(a.store, a.manifest, b.store, b.manifest)


def _files(sets: Sequence[PreparedSet]) -> Iterator[_File]:
    for store, manifest in sets:
        yield _File(store, manifest.patients_file.name, None, manifest.patients_file.sha256)
        for shard in manifest.shards:
            yield _File(store, index_name(shard.name), None, shard.index_sha256)
            yield _File(store, shard.name, shard.bytes, shard.sha256)


def _fault(file: _File, advance: Callable[[int], None]) -> str:
    """What is wrong with a file; blank: nothing."""
    where = f"{file.store.where}/{file.name}"
    size = file.store.size(file.name)
    if size is None:
        return f"{where} is missing"
    if file.bytes is not None and size != file.bytes:
        return f"{where} has {size} bytes instead of {file.bytes}"
    digest = hashlib.sha256()
    try:
        for piece in pieces(file.store, file.name, size):
            digest.update(piece)
            advance(len(piece) if file.bytes is not None else 0)
    except NotThere:
        return f"{where} is missing"
    if digest.hexdigest() != file.sha256:
        return f"{where} has the SHA-256 {digest.hexdigest()[:12]} instead of {file.sha256[:12]}"
    return ""


def _counted(progress: Progress, total: int) -> Callable[[int], None]:
    lock, done = threading.Lock(), 0

    def advance(count: int) -> None:
        nonlocal done
        with lock:
            done += count
            progress(done, total)

    return advance
