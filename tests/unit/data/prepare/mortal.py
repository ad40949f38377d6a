"""A store whose user dies at a given write: before it, in it, or just after it, as a killed pod would."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from trainer.data.store.store import Entry, Range, Sink, Store


class Killed(BaseException):
    """Not an Exception: nothing in the program may answer it."""


class Life:
    """``writes`` are left, the last of which takes effect only if ``after``."""

    def __init__(self, writes: int, *, after: bool) -> None:
        self._left, self._after = writes, after

    @contextmanager
    def write(self) -> Iterator[None]:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        yield
        if self._left < 0:
            raise Killed


class MortalStore(Store):
    """Another store, used by somebody of a given life."""

    is_local = True

    def __init__(self, store: Store, life: Life) -> None:
        super().__init__(store.where, store.key)
        self._store, self._life = store, life

    def under(self, prefix: str) -> Store:
        return MortalStore(self._store.under(prefix), self._life)

    def path(self, name: str) -> Path:
        return self._store.path(name)

    def read(self, name: str) -> bytes:
        return self._store.read(name)

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        return self._store.read_ranges(name, ranges)

    def size(self, name: str) -> int | None:
        return self._store.size(name)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self._store.entries(prefix)

    def folders(self) -> list[str]:
        return self._store.folders()

    def write(self, name: str, content: bytes) -> None:
        with self._life.write():
            self._store.write(name, content)

    def create(self, name: str, content: bytes) -> None:
        with self._life.write():
            self._store.create(name, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        with self._life.write(), self._store.writing(name) as sink:
            yield sink

    def upload(self, name: str, file: Path) -> None:
        with self._life.write():
            self._store.upload(name, file)

    def delete(self, names: Iterable[str]) -> None:
        with self._life.write():
            self._store.delete(names)
