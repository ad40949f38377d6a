"""From film files to records of a shard: a chunk at a time, read and done in processes that share the work."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

from trainer.config import DicomConfig, StoreConfig, Trait
from trainer.data.film.dicom import is_dicom
from trainer.data.film.dicom_person import read_demographics
from trainer.data.film.dicom_rules import Unwanted
from trainer.data.film.images import Encoding, encode, resize
from trainer.data.film.pixels import read_film
from trainer.data.prepare.tasks import ShardKey
from trainer.data.shard.example import StoredFilm
from trainer.data.shard.manifest import Split
from trainer.data.shard.shards import Framed, frame_film
from trainer.data.source.sources import KEY, Place
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.demographics import UNTOLD, Demographics
from trainer.errors import DataError

# Of a process: enough that it need not wait for a store, few enough for the memory of as many large films.
_READERS = 4


class Storage(NamedTuple):
    """How films are to be stored, with which traits; a film with a side below ``minimum_side`` pixels is bad."""

    side: int
    encoding: Encoding
    jpeg_quality: int
    minimum_side: int
    dicom: DicomConfig
    traits: tuple[Trait, ...]


class Work(NamedTuple):
    """What a process is told of the work: where films are, how those stores are reached, how films are stored."""

    folders: tuple[str, ...]
    stores: StoreConfig
    storage: Storage


class FilmTask(NamedTuple):
    """A film to decode: its shard, its name, what is stored of it, and its file or the file's bytes."""

    key: ShardKey
    film: str
    patient: str
    labels: tuple[float, ...]
    content: Place | bytes
    demographics: Demographics = UNTOLD


class DecodedFilm(NamedTuple):
    """A film as a record, or, with none, what is wrong with it, or the rule that leaves it out."""

    key: ShardKey
    film: str
    framed: Framed | None
    fault: str = ""
    rule: str = ""
    demographics: Demographics = UNTOLD


class ShardEnd(NamedTuple):
    """All films of a shard went before."""

    key: ShardKey


class ArchiveEnd(NamedTuple):
    """All shards of an archive went before: its films of each set, image files that the table does not name."""

    archive: int
    films: dict[Split, int]
    files_unlisted: int


Step = FilmTask | ShardEnd | ArchiveEnd
Done = DecodedFilm | ShardEnd | ArchiveEnd


def decode_chunk(chunk: Sequence[Step], work: Work) -> list[Done]:
    """Every film of the chunk, decoded, resized, encoded and framed; the rest as it is.

    Raises DataError or StoreDown if a file cannot be read, which is no fault of a film's.
    """
    contents = _read_ahead([each for each in chunk if isinstance(each, FilmTask)], work)
    return [_decode_film(each, next(contents), work) if isinstance(each, FilmTask) else each for each in chunk]


def _decode_film(task: FilmTask, content: bytes, work: Work) -> DecodedFilm:
    storage = work.storage
    try:
        image = read_film(content, name=task.film, minimum_side=storage.minimum_side, rules=storage.dicom)
        person = task.demographics if isinstance(image, Unwanted) else _demographics(content, task, storage)
    except DataError as error:
        return DecodedFilm(task.key, task.film, None, fault=error.rule)
    if isinstance(image, Unwanted):
        return DecodedFilm(task.key, task.film, None, rule=image.value)
    stored = encode(resize(image, storage.side), storage.encoding, storage.jpeg_quality)
    side = storage.side
    film = StoredFilm(task.film, task.patient, task.labels, stored, storage.encoding, side, side, person)
    return DecodedFilm(task.key, task.film, frame_film(film), demographics=person)


def _demographics(content: bytes, task: FilmTask, storage: Storage) -> Demographics:
    """What the catalog tells, else the header of a DICOM file."""
    told = task.demographics
    untold = [trait for trait in storage.traits if not told.group(trait)]
    if not untold or not is_dicom(content):
        return told
    return told.else_from(read_demographics(content, name=task.film, traits=untold))


def _read_ahead(tasks: Sequence[FilmTask], work: Work) -> Iterator[bytes]:
    waiting: deque[Future[bytes]] = deque()
    for task in tasks:
        waiting.append(_readers().submit(_read, task.content, work))
        if len(waiting) > _READERS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _read(content: Place | bytes, work: Work) -> bytes:
    if isinstance(content, bytes):
        return content
    return _store(work.folders[content.folder], work.stores).read(content.name)


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_READERS)


@cache
def _store(where: str, stores: StoreConfig) -> Store:
    """Opened once a process."""
    return open_store(where, stores, KEY)
