"""Where films come from: folders and tar archives in any store, their files matched to the catalog's films."""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.film.images import FILM_SUFFIXES, LARGEST_BYTES
from trainer.data.source.objects import ObjectStream, Placed, locate, pieces
from trainer.data.source.tar_header import Header
from trainer.data.store.opening import open_store
from trainer.errors import DataError, UsageError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
KEY = "prepare.source"

_TAR_BUFFER = 2**18

# Of a CheXpert path, the patient, the study and the view; what stands before them depends on the download.
_CHEXPERT_PARTS = 3


class Archive(NamedTuple):
    """A tar archive: the place as the settings name it, the object, and its bytes."""

    where: str
    placed: Placed
    bytes: int


class Place(NamedTuple):
    """Where a film's file is: the number of the folder, as in Sources, and the file's name below it."""

    folder: int
    name: str


class Sources(NamedTuple):
    """The sources by kind, each in the order of the settings."""

    folders: tuple[str, ...]
    archives: tuple[Archive, ...]


def open_sources(config: PrepareConfig, stores: StoreConfig) -> Sources:
    """The sources of ``prepare.source``; raises as ``sort_sources`` does."""
    return sort_sources(config.source, stores, KEY)


def sort_sources(source: Sequence[str], stores: StoreConfig, key: str) -> Sources:
    """Tells folders from archives. Raises UsageError if there is no source, DataError if one is neither.

    ``key`` is the setting that named them.
    """
    if not source:
        raise UsageError(key, source, "is empty", "name folders of films or .tar archives")
    folders, archives = [], []
    for where in source:
        placed = locate(where, stores, key)
        size = placed.store.size(placed.name) if placed.name else None
        if size is None:
            folders.append(where)
        elif placed.name.endswith(ARCHIVE_SUFFIXES):
            archives.append(Archive(where, placed, size))
        else:
            raise DataError(key, where, f"is a file, but no archive ({', '.join(ARCHIVE_SUFFIXES)})", "check the path")
    return Sources(tuple(folders), tuple(archives))


class FilmFinder:
    """Matches files to films: by name, or by the same stem with another image suffix; remembers what it saw.

    A film whose catalog name is a path matches a file whose path ends in it.

    Args:
        films: names of the films wanted.
        catalog: the form of the table, as in ``prepare.catalog``.
    """

    def __init__(self, films: Sequence[str], catalog: str) -> None:
        names = [_last_parts(film, _CHEXPERT_PARTS) if catalog == "chexpert" else film for film in films]
        self._exact = {name: number for number, name in enumerate(names)}
        self._stems = {_stem(name): number for number, name in enumerate(names)}
        self._depths = sorted({name.count("/") + 1 for name in names}, reverse=True)
        self.found: dict[int, str] = {}
        """The file of each film found, by the film's number."""
        self.unlisted = 0
        """Image files seen that are no film wanted."""

    def branch(self) -> "FilmFinder":
        """A finder of the same films that knows what this one found, and goes on by itself."""
        other = FilmFinder((), "")
        other._exact, other._stems, other._depths = self._exact, self._stems, self._depths
        other.found = dict(self.found)
        return other

    def find(self, path: str) -> int | None:
        """The number of the film in the file at ``path``, if it is one wanted.

        Raises DataError if another file was found for the same film.
        """
        film = self._match(path)
        if film is None:
            self.unlisted += path.lower().endswith(FILM_SUFFIXES)
        elif film in self.found:
            rule = f"is the same film as {self.found[film]!r}"
            raise DataError(KEY, path, rule, "keep one file a film")
        else:
            self.found[film] = path
        return film

    def _match(self, path: str) -> int | None:
        tails = [_last_parts(path, depth) for depth in self._depths]
        for tail in tails:
            if tail in self._exact:
                return self._exact[tail]
        if path.lower().endswith(FILM_SUFFIXES):
            for tail in tails:
                if _stem(tail) in self._stems:
                    return self._stems[_stem(tail)]
        return None


def find_in_folders(folders: Sequence[str], stores: StoreConfig, finder: FilmFinder) -> dict[int, Place]:
    """The file of every film in the folders and their subfolders, by the film's number; each is listed once.

    Raises DataError if a folder holds no file at all.
    """
    found = {}
    for number, where in enumerate(folders):
        names = [entry.name for entry in open_store(where, stores, KEY).entries()]
        if not names:
            raise DataError(KEY, where, "holds no file", "check the path")
        for name in names:
            film = finder.find(f"{where.rstrip('/')}/{name}")
            if film is not None:
                found[film] = Place(number, name)
    return found


def shuffled(films: Sequence[str], seed: int) -> list[int]:
    """Numbers of the films in an order drawn with the seed; where a film stands depends on no other's name."""

    def draw(number: int) -> bytes:
        return hashlib.blake2b(
            films[number].encode(), digest_size=16, key=str(seed).encode(), person=b"cxr-order"
        ).digest()

    return sorted(range(len(films)), key=draw)


def stream_archive(archive: Archive, finder: FilmFinder) -> Iterator[tuple[int, bytes]]:
    """Every film in the archive with its file's bytes; as ``stream_members``."""
    return stream_members(archive, finder.find, KEY)


def stream_members(archive: Archive, find: Callable[[str], int | None], key: str) -> Iterator[tuple[int, bytes]]:
    """The files that ``find`` gives a number, each with its bytes, in the archive's order and one pass.

    Of a file that is too large for a film, a byte more than LARGEST_BYTES, for its reader to refuse: what an archive
    says of sizes costs it nothing.

    Raises DataError if the archive is damaged or ends early.
    """
    store, name = archive.placed
    try:
        with (
            closing(pieces(store, name, archive.bytes)) as content,
            tarfile.open(fileobj=ObjectStream(content), mode="r|*", bufsize=_TAR_BUFFER, tarinfo=Header) as tar,
        ):
            for member in tar:
                film = find(member.name) if member.isfile() else None
                file = None if film is None else tar.extractfile(member)
                if film is not None and file is not None:
                    yield film, file.read(LARGEST_BYTES + 1)
                # Kept by tarfile for those who go back: of a million files, hundreds of megabytes.
                tar.members.clear()  # type: ignore[attr-defined]
    # ValueError: of a number in a header that is none; RecursionError: of headers of headers.
    except (tarfile.TarError, EOFError, OSError, RecursionError, ValueError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError(key, archive.where, f"is damaged ({reason})", "copy the archive anew") from error


def _last_parts(path: str, count: int) -> str:
    return "/".join(path.split("/")[-count:])


def _stem(path: str) -> str:
    """The path without an image's suffix."""
    root, dot, suffix = path.rpartition(".")
    return root if dot + suffix.lower() in FILM_SUFFIXES else path
