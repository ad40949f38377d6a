"""Records of what is finished, beside the sets: of each shard its films, of each archive that all of it was read."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from trainer.data.prepare.tasks import ShardKey
from trainer.data.shard.index import index_name
from trainer.data.shard.manifest import SPLITS, Number, ShardInfo, Split
from trainer.data.shard.people import PeopleCounts
from trainer.data.shard.shards import shard_name
from trainer.data.store.store import Store
from trainer.errors import DataError

_FOLDER = "parts"
_READERS = 8
_PART_NAME = re.compile(rf"{_FOLDER}/(?P<split>{'|'.join(SPLITS)})/shard-(?P<number>\d+)\.json")
_SPLIT = TypeAdapter[Split](Split)

Kind = TypeVar("Kind", bound="_Record")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Record):
    """A finished shard, none where all its films were left out; what became of each film, by name; their groups."""

    shard: ShardInfo | None
    films: tuple[str, ...]
    bad: dict[str, str]
    skipped: dict[str, str]
    people: PeopleCounts

    @property
    def seen(self) -> int:
        """Films, stored or not."""
        return len(self.films) + len(self.bad) + len(self.skipped)


class ArchivePart(_Record):
    """An archive that was read to its end: its films of each set, and image files that the table does not name."""

    films: dict[Split, Number]
    files_unlisted: Number


class Parts:
    """The records in a destination."""

    def __init__(self, destination: Store) -> None:
        self._destination = destination

    def write(self, key: ShardKey, part: Part) -> None:
        """Records a shard, which is in place."""
        self._destination.write(_part_name(key), part.model_dump_json().encode())

    def write_archive(self, archive: int, part: ArchivePart) -> None:
        """Records an archive whose shards are all recorded."""
        self._destination.write(_archive_name(archive), part.model_dump_json().encode())

    def finished(self, keys: Iterable[ShardKey]) -> dict[ShardKey, Part]:
        """Of these shards, those that are recorded and still there, as large as they were."""
        sizes = self._sizes()
        there = [key for key in keys if _part_name(key) in sizes]
        parts = self._read({_part_name(key): Part for key in there})
        return {key: part for key, part in zip(there, parts, strict=True) if _is_there(key, part, sizes)}

    def recorded(self) -> list[ShardKey]:
        """Every shard that has a record."""
        found = (_PART_NAME.fullmatch(entry.name) for entry in self._destination.entries(_FOLDER))
        return [ShardKey(_SPLIT.validate_python(each["split"]), int(each["number"])) for each in found if each]

    def archives(self, count: int) -> dict[int, ArchivePart]:
        """Of the first ``count`` archives, those that are recorded."""
        names = {entry.name for entry in self._destination.entries(_FOLDER)}
        there = [archive for archive in range(count) if _archive_name(archive) in names]
        parts = self._read({_archive_name(archive): ArchivePart for archive in there})
        return dict(zip(there, parts, strict=True))

    def _sizes(self) -> dict[str, int]:
        return {entry.name: entry.bytes for entry in self._destination.entries()}

    def _read(self, kinds: Mapping[str, type[Kind]]) -> list[Kind]:
        with ThreadPoolExecutor(_READERS) as readers:
            contents = readers.map(self._destination.read, kinds)
            return [self._parsed(name, content, kinds[name]) for name, content in zip(kinds, contents, strict=True)]

    def _parsed(self, name: str, content: bytes, kind: type[Kind]) -> Kind:
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            raise DataError(
                self._destination.key,
                f"{self._destination.where}/{name}",
                f"is damaged ({error.errors()[0]['msg']})",
                "delete it; what it records will be made anew",
            ) from error


def _is_there(key: ShardKey, part: Part, sizes: Mapping[str, int]) -> bool:
    if part.shard is None:
        return True
    name = f"{key.split}/{part.shard.name}"
    return sizes.get(name) == part.shard.bytes and index_name(name) in sizes


def _part_name(key: ShardKey) -> str:
    return f"{_FOLDER}/{key.split}/{shard_name(key.number).removesuffix('.tfrecord')}.json"


def _archive_name(archive: int) -> str:
    return f"{_FOLDER}/archive-{archive:05d}.json"
