"""Batches of films without labels, made ready as for a set, decoded side by side; a bad film is told apart."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cache, partial
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.config import DicomConfig, StoreConfig
from trainer.data.film.dicom_rules import Unwanted
from trainer.data.film.images import Pixels, resize
from trainer.data.film.pixels import read_film
from trainer.data.prepare.workers import map_in_order
from trainer.data.source.sources import Place
from trainer.data.source.unlabelled import KEY, UnlabelledFilm, UnlabelledFilms
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError

# Of a process, as when sets are prepared: enough that it need not wait for a store.
_READERS = 4


class Look(NamedTuple):
    """How films are made ready: as ``prepare`` does for a set of that ``side``, in pixels."""

    side: int
    minimum_side: int
    dicom: DicomConfig


class UnlabelledBatch(NamedTuple):
    """Films ``number * len(images)`` and on, in the order of the sources."""

    number: int
    images: npt.NDArray[np.uint8]
    """[batch size, side, side, 1]; black where there is no film, or a bad one."""
    films: int
    """That there are in it, from its first row on."""
    faults: dict[int, str]
    """Why a film is not among the images, by its number among all."""


def unlabelled_batches(
    films: UnlabelledFilms,
    stores: StoreConfig,
    look: Look,
    *,
    batch_size: int,
    rank: int,
    world_size: int,
    processes: int,
) -> Iterator[UnlabelledBatch]:
    """Batches ``rank``, ``rank + world_size`` and so on; what is in one does not depend on the ranks.

    ``processes`` decode them; 0: one a core. No more than a few batches each are in memory.
    Raises DataError for a damaged archive or sources without a film, StoreDown.
    """
    mine = films.films(lambda number: number // batch_size % world_size == rank)
    chunks = (list(chunk) for _, chunk in groupby(mine, lambda film: film.number // batch_size))
    work = partial(_decode, folders=films.folders, stores=stores, look=look, batch_size=batch_size)
    with closing(map_in_order(work, chunks, processes)) as batches:
        yield from batches


def _decode(
    chunk: Sequence[UnlabelledFilm], folders: tuple[str, ...], stores: StoreConfig, look: Look, batch_size: int
) -> UnlabelledBatch:
    images = np.zeros((batch_size, look.side, look.side, 1), np.uint8)
    faults = {}
    for film, content in zip(chunk, _read_ahead(chunk, folders, stores), strict=True):
        found = content if isinstance(content, str) else _ready(content, film.name, look)
        if isinstance(found, str):
            faults[film.number] = found
        else:
            images[film.number % batch_size, :, :, 0] = found
    return UnlabelledBatch(chunk[0].number // batch_size, images, len(chunk), faults)


def _ready(content: bytes, name: str, look: Look) -> Pixels | str:
    """The film, or what is wrong with it; of a DICOM header no text."""
    try:
        found = read_film(content, name=name, minimum_side=look.minimum_side, rules=look.dicom)
    except DataError as error:
        return error.rule
    return f"left out by prepare.dicom: {found.value}" if isinstance(found, Unwanted) else resize(found, look.side)


def _read_ahead(
    chunk: Sequence[UnlabelledFilm], folders: tuple[str, ...], stores: StoreConfig
) -> Iterator[bytes | str]:
    waiting: deque[Future[bytes | str]] = deque()
    for film in chunk:
        waiting.append(_readers().submit(_read, film.content, folders, stores))
        if len(waiting) > _READERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(content: Place | bytes, folders: tuple[str, ...], stores: StoreConfig) -> bytes | str:
    """The file's bytes, or why there are none."""
    if isinstance(content, bytes):
        return content
    try:
        return _store(folders[content.folder], stores).read(content.name)
    except (DataError, ValueError) as error:
        return error.rule if isinstance(error, DataError) else "has a name that cannot be read"


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_READERS)


@cache
def _store(where: str, stores: StoreConfig) -> Store:
    """Opened once a process."""
    return open_store(where, stores, KEY)
