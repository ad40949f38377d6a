"""A shard that lies on this machine, mapped and read by record number."""

import mmap
from typing import BinaryIO, NamedTuple

import numpy as np

from trainer.data.film.images import Pixels
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import ANEW, sha256_of
from trainer.errors import DataError


class Film(NamedTuple):
    """A film as it is stored: image uint8 [bytes], not a copy; labels float32 [classes] as bytes, NaN where unknown."""

    image: Pixels
    labels: bytes


class Shard:
    """A shard in memory; safe to share between threads.

    Args:
        index: of the shard.
        content: the whole file, uint8 [bytes], not copied.
    """

    def __init__(self, index: ShardIndex, content: Pixels) -> None:
        self.index = index
        # Made once: most of what reading a film would cost is making a view of it.
        images = (content[each.start : each.end] for each in index.images())
        self.films = list(map(Film, images, map(bytes, index.labels)))
        """Every film, by the number of its record."""


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
