"""A store in a folder: an object is a file, written under a hidden name, synced and renamed into place."""

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from trainer.data.store.names import checked
from trainer.data.store.store import AlreadyThere, Entry, NotThere, Range, Sink, Store
from trainer.durable import sync
from trainer.errors import CxrError, DataError, StoreDown

_COPY_BYTES = 2**20
_TRIES = 1000
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN}
"""A full disk, or a share that is away: worth another try, once somebody has made room or it is back."""


class FolderStore(Store):
    """Objects as files below ``folder``, which is made when the first is written."""

    is_local = True

    def __init__(self, folder: Path, key: str) -> None:
        super().__init__(str(folder), key)
        self._folder = folder

    def under(self, prefix: str) -> "FolderStore":
        """The folder below."""
        return FolderStore(self._folder / checked(prefix), self.key)

    def path(self, name: str) -> Path:
        """The object's file."""
        return self._folder / checked(name)

    def read(self, name: str) -> bytes:
        """The whole file."""
        with self._opened(name) as file:
            return file.read()

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """Parts of the file."""
        with self._opened(name) as file:
            parts = [os.pread(file.fileno(), each.bytes, each.start) for each in ranges]
        for wanted, part in zip(ranges, parts, strict=True):
            if len(part) != wanted.bytes:
                rule = f"ends before byte {wanted.end}"
                raise DataError(self.key, str(self.path(name)), rule, "copy it anew")
        return parts

    def size(self, name: str) -> int | None:
        """Bytes of the file."""
        try:
            return self.path(name).stat().st_size if self.path(name).is_file() else None
        except OSError as error:
            raise self._failed(name, error) from error

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every file but the hidden ones, which are being written."""
        for path in sorted(self._files(prefix), key=lambda each: each.relative_to(self._folder).as_posix()):
            try:
                found = path.stat()
            except FileNotFoundError:
                # Deleted since the folder was listed.
                continue
            yield Entry(path.relative_to(self._folder).as_posix(), found.st_size, found.st_mtime)

    def folders(self) -> list[str]:
        """The folders that hold a file."""
        return sorted({each.name.partition("/")[0] for each in self.entries() if "/" in each.name})

    def write(self, name: str, content: bytes) -> None:
        """Writes the file."""
        with self.writing(name) as sink:
            sink.write(content)

    def create(self, name: str, content: bytes) -> None:
        """Writes the file and links it to its name, which fails where there is one."""
        with self._partial(name) as (partial, sink):
            sink.write(content)
            with self._told(name):
                sink.flush()
                try:
                    self.path(name).hardlink_to(partial)
                except FileExistsError as error:
                    raise AlreadyThere(self.key, str(self.path(name)), "is there already", "name another") from error
                sync(self.path(name).parent)

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        """Writes a hidden file of its own, renamed at the end: of two writers, the last to end wins, whole."""
        with self._partial(name) as (partial, sink):
            yield sink
            with self._told(name):
                sink.flush()
                partial.replace(self.path(name))
                sync(self.path(name).parent)

    def upload(self, name: str, file: Path) -> None:
        """Copies the file."""
        with file.open("rb") as source, self.writing(name) as sink:
            while content := source.read(_COPY_BYTES):
                sink.write(content)

    def delete(self, names: Iterable[str]) -> None:
        """Deletes files, and folders that are empty then."""
        for name in names:
            try:
                self.path(name).unlink(missing_ok=True)
                self._remove_empty(self.path(name).parent)
            except OSError as error:
                raise self._failed(name, error) from error

    def sweep(self, start: str) -> None:
        """Deletes hidden files, and the folders that are empty then."""
        for folder in self._folder.glob(f"{start}*"):
            for partial in folder.glob("**/.*.partial"):
                partial.unlink(missing_ok=True)
            self._remove_empty(folder)

    @contextmanager
    def _opened(self, name: str) -> Iterator[BinaryIO]:
        try:
            with self.path(name).open("rb") as file:
                yield file
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise NotThere(self.key, str(self.path(name)), "is not there", "check the path") from error
        except OSError as error:
            raise self._failed(name, error) from error

    @contextmanager
    def _partial(self, name: str) -> Iterator[tuple[Path, "_FileSink"]]:
        path = self.path(name)
        # No other process has this name while this one lives, and no other thread this identity.
        partial = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
        with self._told(name):
            file, made = self._begun(partial)
        try:
            with self._told(name):
                for folder in reversed(made):
                    # The names of new folders outlast a power cut as what is written into them does.
                    sync(folder.parent)
            yield partial, _FileSink(file, lambda: self._told(name))
        finally:
            with suppress(OSError):
                partial.unlink()
            with self._told(name):
                file.close()

    def _begun(self, partial: Path) -> tuple[BinaryIO, list[Path]]:
        """The file, opened; and the folders that were made for it, from the innermost."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                # Another process may find the folder empty and tidy it away: nothing slow stands between the two.
                made = [each for each in (partial.parent, *partial.parent.parents) if not each.is_dir()]
                partial.parent.mkdir(parents=True, exist_ok=True)
                return partial.open("xb"), made
        return partial.open("xb"), []

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """What the folder does not do is told as its error; what the block of a writer does not do, is not."""
        try:
            yield
        except OSError as error:
            raise self._failed(name, error) from error

    def _files(self, prefix: str) -> Iterator[Path]:
        start = self._folder / checked(prefix) if prefix else self._folder
        if start.is_file():
            yield start
        for place, _, names in os.walk(start):
            yield from (Path(place, name) for name in names if not name.startswith("."))

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._folder and folder.is_relative_to(self._folder):
            try:
                folder.rmdir()
            except OSError:
                # Not empty, or gone: either way there is nothing to tidy.
                return
            folder = folder.parent

    def _failed(self, name: str, error: OSError) -> CxrError:
        kind = StoreDown if error.errno in _PASSING else DataError
        reason = error.strerror or str(error)
        return kind(self.key, str(self.path(name)), f"cannot be used ({reason})", "free, mount or correct it")


class _FileSink:
    """A file being written, whose errors are told as ``told`` tells them."""

    def __init__(self, file: BinaryIO, told: Callable[[], AbstractContextManager[None]]) -> None:
        self._file, self._told = file, told

    def write(self, content: bytes) -> None:
        with self._told():
            self._file.write(content)

    def flush(self) -> None:
        """Until it is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
