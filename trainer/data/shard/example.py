"""One film as a ``tf.train.Example``, written without TensorFlow, byte for byte the same each time.

The wire form is Protocol Buffers' (https://protobuf.dev/programming-guides/encoding/), the messages are those of
TensorFlow's ``example.proto`` and ``feature.proto``. Features stand in the order of their names.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trainer.data.film.images import Encoding
from trainer.demographics import UNTOLD, Demographics

# Every message here nests through the first field, but an entry's value; all are length-delimited (wire type 2).
_FIRST, _SECOND, _THIRD = 0x0A, 0x12, 0x1A


@dataclass(frozen=True)
class StoredFilm:
    """A film as a shard keeps it: ``image`` holds its bytes in ``encoding``, ``labels`` NaN where unknown."""

    film: str
    patient: str
    labels: tuple[float, ...]
    image: bytes
    encoding: Encoding
    height: int
    width: int
    demographics: Demographics = UNTOLD


class Span(NamedTuple):
    """Where a value's bytes lie in a record."""

    offset: int
    bytes: int


class EncodedExample(NamedTuple):
    """The serialized message, and where the image lies in it, which is read without parsing it."""

    data: bytes
    image: Span


class _Part(NamedTuple):
    """Bytes of a message, and where the innermost value starts in them."""

    data: bytes
    offset: int


def encode_example(film: StoredFilm) -> EncodedExample:
    """The film as an Example of ``id``, ``image/*``, ``label`` (float32, one a class) and ``patient``.

    ``age`` (years), ``sex`` and ``view`` are there as far as they are known.
    """
    values = _known(film.demographics) | {
        "id": _bytes(film.film.encode()),
        "image/encoded": _bytes(film.image),
        "image/format": _bytes(film.encoding.encode()),
        "image/height": _integer(film.height),
        "image/width": _integer(film.width),
        "label": _floats(film.labels),
        "patient": _bytes(film.patient.encode()),
    }
    entries = {name: _wrap(_FIRST, _entry(name, values[name])) for name in sorted(values)}
    features = b"".join(entry.data for entry in entries.values())
    data = _wrap(_FIRST, _Part(features, 0))
    before = sum(len(entry.data) for name, entry in entries.items() if name < "image/encoded")
    image = data.offset + before + entries["image/encoded"].offset
    return EncodedExample(data.data, Span(image, len(film.image)))


def _known(person: Demographics) -> dict[str, _Part]:
    texts = {"sex": person.sex, "view": person.view}
    values = {name: _bytes(text.encode()) for name, text in texts.items() if text}
    return values if person.age is None else values | {"age": _integer(person.age)}


def _bytes(value: bytes) -> _Part:
    return _wrap(_FIRST, _wrap(_FIRST, _Part(value, 0)))


def _floats(values: Sequence[float]) -> _Part:
    return _wrap(_SECOND, _wrap(_FIRST, _Part(struct.pack(f"<{len(values)}f", *values), 0)))


def _integer(value: int) -> _Part:
    return _wrap(_THIRD, _wrap(_FIRST, _Part(_varint(value), 0)))


def _entry(name: str, value: _Part) -> _Part:
    key = _wrap(_FIRST, _Part(name.encode(), 0)).data
    wrapped = _wrap(_SECOND, value)
    return _Part(key + wrapped.data, len(key) + wrapped.offset)


def _wrap(tag: int, part: _Part) -> _Part:
    """The part as a length-delimited field."""
    header = bytes([tag]) + _varint(len(part.data))
    return _Part(header + part.data, len(header) + part.offset)


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first; the high bit says that more follow. For values from 0."""
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
