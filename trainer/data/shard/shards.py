"""Shards, written: TFRecord files of Examples, beside each an index, so that a film is read without its neighbours."""

import hashlib
from pathlib import Path

from trainer.data.shard.example import StoredFilm, encode_example
from trainer.data.shard.index import Row, encode_index, index_name
from trainer.data.shard.manifest import ShardInfo, sha256_of
from trainer.data.shard.tfrecord import HEADER_BYTES, frame
from trainer.data.store.store import Range
from trainer.durable import partial_name, put_in_place, write_durably


def shard_name(number: int) -> str:
    """The file name of a set's shard."""
    return f"shard-{number:05d}.tfrecord"


def index_path(shard: Path) -> Path:
    """The index beside a shard."""
    return shard.with_name(index_name(shard.name))


class ShardWriter:
    """Streams films into a shard; it gets its name, and exists, at ``close``."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / name
        self._file = partial_name(self._path).open("wb")
        self._hash = hashlib.sha256()
        self._rows: list[Row] = []
        self.bytes = 0
        """Written so far."""

    def append(self, film: StoredFilm) -> None:
        """Adds a film as the next record."""
        example = encode_example(film)
        record = frame(example.data)
        image = self.bytes + HEADER_BYTES + example.image.offset
        lies = Range(self.bytes, self.bytes + len(record)), Range(image, image + example.image.bytes)
        self._rows.append(Row(*lies, film.labels, film.film.encode(), film.patient))
        self._file.write(record)
        self._hash.update(record)
        self.bytes += len(record)

    def close(self) -> ShardInfo:
        """Puts the index, then the shard in place: a shard that is there is whole and has its index."""
        index = encode_index(self._rows)
        write_durably(index_path(self._path), index)
        put_in_place(self._file, self._path)
        return ShardInfo(
            name=self._path.name,
            bytes=self.bytes,
            records=len(self._rows),
            sha256=self._hash.hexdigest(),
            index_sha256=sha256_of(index),
        )

    def abandon(self) -> None:
        """Lets go of a shard that will not be closed."""
        self._file.close()
        partial_name(self._path).unlink()
