"""Film files to stored images: a chunk at a time, so that processes can share the work."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from trainer.data.film.images import Encoding, decode, encode, resize
from trainer.errors import DataError


class Storage(NamedTuple):
    """How films are to be stored; a film with a side below ``minimum_side`` pixels is bad."""

    side: int
    encoding: Encoding
    jpeg_quality: int
    minimum_side: int


class FilmTask(NamedTuple):
    """A film to decode: its number, its name for errors, and its file or the file's bytes."""

    number: int
    name: str
    content: Path | bytes


class StoredImage(NamedTuple):
    """A film's bytes as stored, or, with none, what is wrong with it."""

    number: int
    image: bytes
    fault: str


Chunk = Sequence[FilmTask]


def decode_chunk(chunk: Chunk, storage: Storage) -> list[StoredImage]:
    """Every film of the chunk, decoded, resized and encoded."""
    return [_decode_film(task, storage) for task in chunk]


def _decode_film(task: FilmTask, storage: Storage) -> StoredImage:
    try:
        content = task.content if isinstance(task.content, bytes) else task.content.read_bytes()
        image = decode(content, name=task.name, minimum_side=storage.minimum_side)
    except DataError as error:
        return StoredImage(task.number, b"", error.rule)
    except OSError as error:
        return StoredImage(task.number, b"", f"cannot be read ({error.strerror})")
    stored = encode(resize(image, storage.side), storage.encoding, storage.jpeg_quality)
    return StoredImage(task.number, stored, "")
