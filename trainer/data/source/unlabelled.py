"""Films without labels: every film of folders and archives, counted in one order on which all ranks agree."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from trainer.config import StoreConfig
from trainer.data.film.images import FILM_SUFFIXES
from trainer.data.source.sources import Place, sort_sources, stream_members
from trainer.data.store.opening import open_store
from trainer.errors import DataError

KEY = "predict.source"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class UnlabelledFilm(NamedTuple):
    """A film: its number among all, from 0, its name, and its file or the file's bytes."""

    number: int
    name: str
    content: Place | bytes


class UnlabelledFilms:
    """The films of the sources: of folders in the order of their names, then of archives in theirs.

    A film is a file with the suffix of an image, or with none at all, as DICOM files often are. Its name is that
    below its source; where there are several, the source stands before it. One that a spreadsheet would take for a
    formula begins with ``./``: archives come from anywhere.

    Args:
        source: folders of films, or .tar, .tar.gz archives; paths or URLs.
        stores: how stores are reached.

    Raises UsageError if there is no source, DataError if one is neither.
    """

    def __init__(self, source: Sequence[str], stores: StoreConfig) -> None:
        self._sources = sort_sources(source, stores, KEY)
        self._stores, self._several = stores, len(source) > 1
        self.names: list[str] = []
        """Of the films met so far; after ``films`` has ended, of all of them, whoever they belong to."""
        self._met = set[str]()

    @property
    def folders(self) -> tuple[str, ...]:
        """That a ``Place`` counts."""
        return self._sources.folders

    def films(self, is_mine: Callable[[int], bool]) -> Iterator[UnlabelledFilm]:
        """Those whose number ``is_mine``, in one pass.

        Raises DataError if there is none at all, or one twice; StoreDown.
        """
        for folder, where in enumerate(self.folders):
            for entry in open_store(where, self._stores, KEY).entries():
                number = self._count(where, entry.name)
                if number is not None and is_mine(number):
                    yield UnlabelledFilm(number, self.names[number], Place(folder, entry.name))
        for archive in self._sources.archives:

            def find(name: str, where: str = archive.where) -> int | None:
                number = self._count(where, name)
                return number if number is not None and is_mine(number) else None

            for number, content in stream_members(archive, find, KEY):
                yield UnlabelledFilm(number, self.names[number], content)
        if not self.names:
            where = ", ".join([*self.folders, *(each.where for each in self._sources.archives)])
            raise DataError(KEY, where, "holds no film", f"name what holds {', '.join(FILM_SUFFIXES)} files")

    def _count(self, where: str, name: str) -> int | None:
        """The number of the film in a file; None if it is no film's. Raises DataError if it was met before."""
        if not _may_be_film(name):
            return None
        whole = f"{where.rstrip('/')}/{name}" if self._several else name
        if whole.startswith(_FORMULA):
            whole = f"./{whole}"
        # A name that is no Unicode could not be written.
        whole = whole.encode(errors="backslashreplace").decode()
        if whole in self._met:
            raise DataError(KEY, where, f"holds {whole!r} twice", "keep one file a film, and name no source twice")
        self._met.add(whole)
        self.names.append(whole)
        return len(self.names) - 1


def _may_be_film(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    stem, dot, suffix = name.rpartition(".")
    # UIDs are names too: they end in a number.
    return not name.startswith(".") and (name.endswith(FILM_SUFFIXES) or not dot or (bool(stem) and suffix.isdigit()))
