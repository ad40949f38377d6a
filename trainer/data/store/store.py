"""The interface of a store: named objects, each whole or not there, under one place that a setting named."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from trainer.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer


class NotThere(DataError):
    """No object of that name is in the store."""


class AlreadyThere(DataError):
    """An object of that name is in the store, and was to be created."""


class Entry(NamedTuple):
    """An object of a store: its name below the store's place, its size, and when it was last written (Unix time)."""

    name: str
    bytes: int
    modified: float


class Range(NamedTuple):
    """Bytes ``start`` (counted from 0) up to, not with, ``end``."""

    start: int
    end: int

    @property
    def bytes(self) -> int:
        """How many."""
        return self.end - self.start


class Sink(Protocol):
    """What is written in parts, and exists once it is closed without an error."""

    def write(self, content: bytes, /) -> object:
        """Adds bytes at the end."""


Take = Callable[[int, "Buffer"], None]
"""Takes bytes that have come, and where in the object they start."""


class Store(ABC):
    """Objects by name below one place. Names are relative, of parts joined by ``/``, without ``.`` and ``..``.

    Safe to share between threads; not to be used across a fork. Every method may raise NotThere or another DataError
    (a wrong key, a missing bucket, a damaged answer: permanent), or StoreDown (no answer in spite of the retries:
    worth another try later), each one line that names ``key`` and ``where``.

    Args:
        where: the place as a person writes it, without any secret: a folder, or ``s3://bucket/prefix``.
        key: the setting that named it, for errors.
    """

    is_local: ClassVar[bool]
    """Whether objects are files of this machine, to be mapped where they lie (see ``path``)."""

    def __init__(self, where: str, key: str) -> None:
        self.where, self.key = where, key

    @abstractmethod
    def under(self, prefix: str) -> "Store":
        """The store of the objects below ``prefix``; it need not hold any."""

    @abstractmethod
    def path(self, name: str) -> Path:
        """The file of an object; for local stores only, else raises NotImplementedError."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A whole object. Raises NotThere."""

    @abstractmethod
    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """Parts of an object, fetched side by side, in the order asked. Raises NotThere; DataError if it is shorter."""

    def stream(self, name: str, part: Range, take: Take) -> None:
        """Hands over a part of an object as it comes, from its start to its end.

        Where the store has to begin anew, what came before comes again. Raises NotThere; DataError if it is shorter.
        """
        take(part.start, self.read_ranges(name, [part])[0])

    @abstractmethod
    def size(self, name: str) -> int | None:
        """Bytes of an object, or None if there is none."""

    @abstractmethod
    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every object whose name is ``prefix`` or lies below the folder ``prefix``, sorted by name."""

    @abstractmethod
    def folders(self) -> list[str]:
        """First parts of the names that have more than one, sorted."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Writes an object, whole or not at all; replaces one that is there."""

    @abstractmethod
    def create(self, name: str, content: bytes) -> None:
        """Writes an object unless there is one; of several who try at once, one succeeds. Raises AlreadyThere."""

    @abstractmethod
    def writing(self, name: str) -> AbstractContextManager[Sink]:
        """Writes a large object in parts, uploaded in the background; if the block raises, nothing is there."""

    @abstractmethod
    def upload(self, name: str, file: Path) -> None:
        """Writes an object from a file, in parallel parts; whole or not at all."""

    @abstractmethod
    def delete(self, names: Iterable[str]) -> None:
        """Deletes objects; those that are not there are no error."""

    def sweep(self, start: str) -> None:  # noqa: B027 - most stores show nothing before it is whole
        """Deletes what killed writers left half-written under names that begin with ``start``; nobody else writes."""

    def exists(self, name: str) -> bool:
        """Whether there is an object of that name."""
        return self.size(name) is not None
