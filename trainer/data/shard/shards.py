"""Shards, written: TFRecord files of Examples, beside each an index, so that a film is read without its neighbours."""

import hashlib
from contextlib import ExitStack
from typing import NamedTuple

from trainer.data.shard.example import StoredFilm, encode_example
from trainer.data.shard.index import Row, encode_index, index_name
from trainer.data.shard.manifest import ShardInfo, sha256_of
from trainer.data.shard.tfrecord import HEADER_BYTES, frame
from trainer.data.store.store import Range, Store


class Framed(NamedTuple):
    """A film as a record of a shard, and its row of the index as if the record stood at the start."""

    record: bytes
    row: Row


def shard_name(number: int) -> str:
    """The file name of a set's shard."""
    return f"shard-{number:05d}.tfrecord"


def frame_film(film: StoredFilm) -> Framed:
    """The record of a film."""
    example = encode_example(film)
    record, image = frame(example.data), HEADER_BYTES + example.image.offset
    lies = Range(0, len(record)), Range(image, image + example.image.bytes)
    return Framed(record, Row(*lies, film.labels, film.film.encode(), film.patient, film.demographics))


class ShardWriter:
    """Streams records into a shard; it exists, and the index beside it, at ``close``.

    Args:
        store: of the set.
        name: of the shard.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._open = ExitStack()
        self._sink = self._open.enter_context(store.writing(name))
        self._hash = hashlib.sha256()
        self._rows: list[Row] = []
        self.bytes = 0
        """Written so far."""

    def append(self, film: Framed) -> None:
        """Adds a film as the next record."""
        row = film.row
        self._rows.append(row._replace(record=_moved(row.record, self.bytes), image=_moved(row.image, self.bytes)))
        self._sink.write(film.record)
        self._hash.update(film.record)
        self.bytes += len(film.record)

    def close(self) -> ShardInfo:
        """Puts the index, then the shard in place: a shard that is there is whole and has its index."""
        index = encode_index(self._rows)
        self._store.write(index_name(self._name), index)
        self._open.close()
        return ShardInfo(
            name=self._name,
            bytes=self.bytes,
            records=len(self._rows),
            sha256=self._hash.hexdigest(),
            index_sha256=sha256_of(index),
        )

    def abandon(self) -> None:
        """Lets go of a shard that will not be closed: nothing of it is to be seen."""
        self._open.__exit__(_Abandoned, _Abandoned(), None)


class _Abandoned(Exception):
    """What a store is told, so that it drops what was written."""


def _moved(part: Range, by: int) -> Range:
    return Range(part.start + by, part.end + by)
