"""A shard that lies on this machine, mapped and read by record number."""

import hashlib
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from trainer.data.film.images import Encoding, Pixels, decode_stored
from trainer.data.shard.index import Floats, ShardIndex, index_name
from trainer.data.shard.manifest import ANEW, Manifest, sha256_of
from trainer.errors import DataError


class Shard:
    """A shard in memory; safe to share between threads.

    Args:
        index: of the shard.
        content: the whole file, uint8 [bytes], not copied.
        encoding: of its images.
    """

    def __init__(self, index: ShardIndex, content: Pixels, encoding: Encoding) -> None:
        self.index, self._content, self._encoding = index, content, encoding
        # Lists, which one number indexes faster than an array.
        self._slices = [slice(*each) for each in index.images()]
        self._labels: list[Floats] = list(index.labels)

    def image(self, record: int) -> Pixels:
        """One film as it is stored, uint8 [bytes], not a copy."""
        return self._content[self._slices[record]]

    def image_into(self, record: int, out: Pixels) -> None:
        """Copies or decodes one film into ``out``, uint8 [height, width]."""
        decode_stored(self.image(record).data, self._encoding, out)

    def label(self, record: int) -> Floats:
        """The labels of one film, float32 [classes], NaN where unknown; not a copy."""
        return self._labels[record]

    def labels(self, records: Sequence[int]) -> Floats:
        """The labels of films: float32 [len(records), classes], NaN where unknown."""
        return self.index.labels[np.asarray(records, dtype=np.int64)]


def open_shard(directory: Path, manifest: Manifest, number: int) -> Shard:
    """The shard in a folder. Raises DataError if it or its index is missing, or is not what the manifest says."""
    info = manifest.shards[number]
    index = check_index(_read(directory / index_name(info.name)), info.index_sha256, directory / index_name(info.name))
    path = directory / info.name
    try:
        with path.open("rb") as file:
            content = mapped(file)
    except (OSError, ValueError) as error:
        raise missing(info.sha256, path) from error
    check(hashlib.sha256(content.data).hexdigest(), info.sha256, path)
    return Shard(index, content, manifest.image.encoding)


def mapped(file: BinaryIO) -> Pixels:
    """The file's bytes, uint8 [bytes], read-only, mapped. Raises ValueError if it is empty."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint8)


def check_index(content: bytes, expected: str, where: object) -> ShardIndex:
    """The index with these bytes. Raises DataError unless they have the expected SHA-256."""
    if not content:
        raise missing(expected, where)
    check(sha256_of(content), expected, where)
    return ShardIndex(content)


def check(found: str, expected: str, where: object) -> None:
    """Raises DataError unless two SHA-256 are equal."""
    if found != expected:
        raise other_hash(found, expected, where)


def other_hash(found: str, expected: str, where: object) -> DataError:
    """Of a file that is not what the manifest says."""
    return DataError(str(where), found[:12], f"is not the SHA-256 in the manifest, {expected[:12]}", ANEW)


def missing(expected: str, where: object) -> DataError:
    """Of a file that is not there."""
    return DataError(str(where), expected[:12], "is the SHA-256 of a file that is missing or empty", ANEW)


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
