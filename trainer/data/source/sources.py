"""Where films come from: folders and tar archives, their files matched to the catalog's films."""

import hashlib
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.config import PrepareConfig
from trainer.data.film.images import FILM_SUFFIXES
from trainer.errors import DataError, UsageError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")

# Of a CheXpert path, the patient, the study and the view; what stands before them depends on the download.
_CHEXPERT_PARTS = 3


class Sources(NamedTuple):
    """The sources by kind, each in the order of the settings."""

    folders: tuple[Path, ...]
    archives: tuple[Path, ...]


def open_sources(config: PrepareConfig) -> Sources:
    """Tells folders from archives. Raises UsageError if there is no source, DataError if one is neither."""
    if not config.source:
        raise UsageError("prepare.source", config.source, "is empty", "name folders of films or .tar archives")
    folders, archives = [], []
    for path in map(Path, config.source):
        if path.is_dir():
            folders.append(path)
        elif path.is_file() and path.name.endswith(ARCHIVE_SUFFIXES):
            archives.append(path)
        else:
            rule = "is neither a folder nor an archive (.tar, .tar.gz, .tgz)"
            raise DataError("prepare.source", str(path), rule, "check the path")
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

    def find(self, path: str) -> int | None:
        """The number of the film in the file at ``path``, if it is one wanted.

        Raises DataError if another file was found for the same film.
        """
        film = self._match(path)
        if film is None:
            self.unlisted += path.lower().endswith(FILM_SUFFIXES)
        elif film in self.found:
            rule = f"is the same film as {self.found[film]!r}"
            raise DataError("prepare.source", path, rule, "keep one file a film")
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


def find_in_folders(folders: Sequence[Path], finder: FilmFinder) -> dict[int, Path]:
    """The file of every film in the folders and their subfolders, by the film's number."""
    found = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for path in sorted(f"{place}/{name}" for name in names):
                film = finder.find(path)
                if film is not None:
                    found[film] = Path(path)
    return found


def shuffled(films: Sequence[str], seed: int) -> list[int]:
    """Numbers of the films in an order drawn with the seed; where a film stands depends on no other's name."""

    def draw(number: int) -> bytes:
        return hashlib.blake2b(
            films[number].encode(), digest_size=16, key=str(seed).encode(), person=b"cxr-order"
        ).digest()

    return sorted(range(len(films)), key=draw)


def stream_archive(archive: Path, finder: FilmFinder) -> Iterator[tuple[int, bytes]]:
    """Every film in the archive with its file's bytes, in the archive's order and one pass.

    Raises DataError if the archive is damaged or ends early.
    """
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                film = finder.find(member.name) if member.isfile() else None
                file = None if film is None else tar.extractfile(member)
                if film is not None and file is not None:
                    yield film, file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise DataError("prepare.source", str(archive), f"is damaged ({reason})", "copy the archive anew") from error


def _last_parts(path: str, count: int) -> str:
    return "/".join(path.split("/")[-count:])


def _stem(path: str) -> str:
    """The path without an image's suffix."""
    root, dot, suffix = path.rpartition(".")
    return root if dot + suffix.lower() in FILM_SUFFIXES else path
