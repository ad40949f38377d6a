"""The folder of a node's cache: shards by their hash, shared by the node's processes under locks that die with them.

``<sha256>`` is a whole shard, ``<sha256>.index`` its index, ``<sha256>.partial`` one that a process is fetching, which
holds its lock. Whoever reads a shard holds a shared lock on it; eviction takes only what nobody has locked.
"""

import errno
import fcntl
import logging
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from trainer.data.cache.order import Present, evictable
from trainer.data.cache.tally import Tell

log = logging.getLogger("cxr_train.cache")

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CANNOT_RESERVE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
_PARTIAL, _INDEX, _LOCK = ".partial", ".index", ".lock"


class NoRoomError(Exception):
    """The cache cannot take a shard now."""


class CacheFolder:
    """Files of a folder, at most ``cap_bytes`` of them; safe to share between threads and processes.

    Args:
        directory: made when the first shard is fetched, for its owner alone.
        cap_bytes: of all files together.
        tell: counts.
    """

    def __init__(self, directory: Path, cap_bytes: int, tell: Tell) -> None:
        self._directory, self._cap_bytes, self._tell = directory, cap_bytes, tell
        self._plans: dict[object, dict[str, deque[int]]] = {}
        self._lock = threading.Lock()
        self._warned = False

    def plan(self, reader: object, names: Sequence[str]) -> None:
        """What a reader of this process needs, in the order of need; once more what it needs again."""
        plan: dict[str, deque[int]] = {}
        for place, name in enumerate(names):
            plan.setdefault(name, deque()).append(place)
        with self._lock:
            self._plans[reader] = plan

    def done(self, reader: object, name: str) -> None:
        """A reader has read a shard to its end, for the first time in its plan."""
        with self._lock:
            places = self._plans.get(reader, {}).get(name)
            if places:
                places.popleft()

    def opened(self, name: str) -> BinaryIO | None:
        """A whole shard, kept from eviction until it is closed; None if it is not there."""
        try:
            file = (self._directory / name).open("rb")
        except OSError:
            return None
        fcntl.flock(file, fcntl.LOCK_SH)
        found = os.fstat(file.fileno())
        if not found.st_nlink:
            # Evicted while it was opened.
            file.close()
            return None
        with suppress(OSError):
            os.utime(file.fileno(), ns=(time.time_ns(), found.st_mtime_ns))
        return file

    def begin(self, name: str, size: int, reader: object) -> BinaryIO | None:
        """A locked file of ``size`` bytes that will be the shard once it is committed.

        None if another process has begun or ended it, so that it is worth looking again. Raises NoRoomError.
        """
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._claimed(name)
            if file is None:
                return None
            try:
                self._reserve(file, name, size, reader)
            except BaseException:
                self.abandon(file, name)
                raise
        except OSError as error:
            raise self._no_room(error.strerror or str(error)) from error
        return file

    def commit(self, file: BinaryIO, name: str) -> None:
        """Gives a fetched shard its name; it stays locked against eviction."""
        (self._directory / f"{name}{_PARTIAL}").replace(self._directory / name)
        fcntl.flock(file, fcntl.LOCK_SH)

    def abandon(self, file: BinaryIO, name: str) -> None:
        """Gives up a shard that was begun."""
        (self._directory / f"{name}{_PARTIAL}").unlink(missing_ok=True)
        file.close()

    def discard(self, file: BinaryIO, name: str) -> None:
        """Removes a shard that is not what its name says; closes it."""
        path = self._directory / name
        with file, suppress(OSError):
            # Another process may have replaced it since.
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                path.unlink()

    def index(self, name: str) -> bytes | None:
        """The index of a shard, unchecked; None if it is not there."""
        try:
            return (self._directory / f"{name}{_INDEX}").read_bytes()
        except OSError:
            return None

    def keep_index(self, name: str, content: bytes) -> None:
        """Keeps an index, if that is possible."""
        with suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Locked before anybody who makes room can take it for what a dead process began.
            with self._alone():
                file, path = tempfile.mkstemp(dir=self._directory, suffix=_PARTIAL)
                fcntl.flock(file, fcntl.LOCK_EX)
            with os.fdopen(file, "wb") as opened:
                opened.write(content)
                # Whole before it has its name, or not at all where the disk is full.
                opened.flush()
                Path(path).replace(self._directory / f"{name}{_INDEX}")

    def failed(self, reason: str) -> None:
        """Counts a shard that found no place; warns of the first."""
        self._tell("failures", 1)
        if not self._warned:
            self._warned = True
            log.warning(
                "data.cache.directory: %s cannot take a shard (%s): films are read without it", self._directory, reason
            )

    def _no_room(self, reason: str) -> NoRoomError:
        self.failed(reason)
        return NoRoomError(reason)

    def _claimed(self, name: str) -> BinaryIO | None:
        """The locked file of a shard that nobody else is fetching and that is not there."""
        path = self._directory / f"{name}{_PARTIAL}"
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        if _locks(file) and _is_at(file, path):
            if not (self._directory / name).exists():
                return file
            path.unlink()
        file.close()
        return None

    def _reserve(self, file: BinaryIO, name: str, size: int, reader: object) -> None:
        """Makes the file ``size`` bytes long, evicting what has to go for it. Raises NoRoomError, OSError."""
        with self._alone():
            present, used = self._present(), self._used()
            going = iter(evictable(present, self._next_of([reader]), self._next_of(self._plans), name))
            while used + size > self._cap_bytes:
                if not (freed := self._evict_one(going)):
                    raise NoRoomError("all that the cache may hold is being read")
                used -= freed
            while not _allocated(file, size):
                if not self._evict_one(going):
                    raise self._no_room("the disk is full")

    def _next_of(self, readers: Iterable[object]) -> Mapping[str, int]:
        """Shards by the place of their next use."""
        with self._lock:
            plans = [self._plans[each] for each in readers if each in self._plans]
            return {name: places[0] for plan in plans for name, places in plan.items() if places}

    def _evict_one(self, going: Iterator[Present]) -> int:
        """Evicts the next that nobody reads; how many bytes it had, 0 if there is none."""
        for each in going:
            shard, index = self._directory / each.name, self._directory / f"{each.name}{_INDEX}"
            if not shard.exists() or _removed(shard):
                index.unlink(missing_ok=True)
                self._tell("evictions", 1)
                return each.bytes
        return 0

    def _present(self) -> list[Present]:
        """The shards, each with its index, which may be there alone. What dead processes began is removed."""
        found: dict[str, Present] = {}
        for path in self._directory.iterdir():
            if path.suffix == _PARTIAL:
                _removed(path)
            elif path.name != _LOCK:
                with suppress(FileNotFoundError):
                    stat, name = path.stat(), path.name.removesuffix(_INDEX)
                    other = found.get(name, Present(name, 0, 0.0))
                    found[name] = Present(name, other.bytes + stat.st_size, max(other.used, stat.st_atime))
        return list(found.values())

    def _used(self) -> int:
        total = 0
        for path in self._directory.iterdir():
            with suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time makes room."""
        with (self._directory / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _locks(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the path still names the file, which another process may have removed or renamed before it was locked."""
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    return False


def _removed(path: Path) -> bool:
    """Removes a file that nobody has locked; whether it did."""
    with suppress(OSError), path.open("rb") as file:
        if _locks(file) and _is_at(file, path):
            path.unlink()
            return True
    return False


def _allocated(file: BinaryIO, size: int) -> bool:
    """Gives a file its bytes on the disk, anew; False if the disk is full."""
    file.truncate(0)
    try:
        os.posix_fallocate(file.fileno(), 0, size)
    except OSError as error:
        if error.errno in _FULL:
            return False
        if error.errno not in _CANNOT_RESERVE:
            raise
        file.truncate(size)
    return True
