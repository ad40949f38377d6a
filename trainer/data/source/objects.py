"""Objects that a setting names one by one, by path or URL: tables, lists and archives; whole, or piece by piece."""

import io
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainer.config import StoreConfig
from trainer.data.store.opening import is_remote, open_store
from trainer.data.store.store import NotThere, Range, Store
from trainer.errors import DataError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Bytes. Large beside the time to the first of them, small beside memory.
_PIECE = 8 * 2**20
_PIECES_AHEAD = 2


class Placed(NamedTuple):
    """An object: the store it is in and its name there; blank: ``store`` is all of a bucket."""

    store: Store
    name: str


def locate(where: str, config: StoreConfig, key: str) -> Placed:
    """The object at a path or URL, which need not be there; ``key`` is the setting that named it."""
    path = where.rstrip("/") if is_remote(where) else os.path.normpath(Path(where).absolute())
    parent, _, name = path.rpartition("/")
    if parent.endswith(("/", ":")):
        return Placed(open_store(path, config, key), "")
    return Placed(open_store(parent or "/", config, key), name)


def read_object(where: str, config: StoreConfig, key: str) -> bytes:
    """The object at a path or URL. Raises DataError that names the setting if there is none."""
    store, name = locate(where, config, key)
    try:
        if name:
            return store.read(name)
    except NotThere:
        pass
    raise DataError(key, where, "is not a file", "check the path")


def pieces(store: Store, name: str, size: int) -> Generator[bytes, None, None]:
    """The bytes of an object in order, the next ones fetched meanwhile."""
    ranges = (Range(start, min(start + _PIECE, size)) for start in range(0, size, _PIECE))
    waiting: deque[Future[list[bytes]]] = deque()
    with ThreadPoolExecutor(_PIECES_AHEAD) as readers:
        for each in ranges:
            waiting.append(readers.submit(store.read_ranges, name, [each]))
            if len(waiting) > _PIECES_AHEAD:
                yield waiting.popleft().result()[0]
        while waiting:
            yield waiting.popleft().result()[0]


class ObjectStream(io.RawIOBase):
    """An object, given as its pieces, as a file that can only be read on and on."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content, self._left = content, memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """The next bytes, at least one but at the end."""
        if not self._left:
            self._left = memoryview(next(self._content, b""))
        with memoryview(buffer) as out:
            count = min(len(out), len(self._left))
            out[:count], self._left = self._left[:count], self._left[count:]
        return count
