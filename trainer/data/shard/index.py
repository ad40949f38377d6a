"""The index beside a shard: where each record and its image lie, and all of a film that is small."""

import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.store.store import Range
from trainer.demographics import UNTOLD, Demographics, stored_demographics

_MAGIC = b"\x93NUMPY\x01\x00"

Floats = npt.NDArray[np.float32]


class Row(NamedTuple):
    """A film of a shard: its record and its image in bytes from the shard's start, and what the index repeats."""

    record: Range
    image: Range
    label: tuple[float, ...]
    id: bytes
    patient: str
    demographics: Demographics = UNTOLD


def index_name(shard: str) -> str:
    """The file name of the index beside a shard."""
    return f"{shard}.index.npy"


def encode_index(rows: Sequence[Row]) -> bytes:
    """``<shard>.index.npy``: a structured array, a row a record, readable by numpy alone.

    Offsets and sizes are int64 in bytes, ``label`` float32 a class with NaN for unknown, ``id`` and ``patient`` UTF-8,
    ``age`` int8 in years with -1 for unknown, ``sex`` and ``view`` blank where unknown.
    """
    form = np.dtype(
        [
            *((name, "<i8") for name in ("record_offset", "record_bytes", "image_offset", "image_bytes")),
            ("label", "<f4", (len(rows[0].label),)),
            ("id", f"S{max(1, *(len(row.id) for row in rows))}"),
            ("patient", "S16"),
            ("sex", "S1"),
            ("age", "i1"),
            ("view", "S7"),
        ]
    )
    file = io.BytesIO()
    np.save(file, np.array(list(map(_filled, rows)), dtype=form), allow_pickle=False)
    return file.getvalue()


class ShardIndex:
    """A shard's index, read from the bytes that ``encode_index`` made. Raises ValueError if they are not such."""

    def __init__(self, content: bytes) -> None:
        self._rows = _array(content)
        self.labels: Floats = np.ascontiguousarray(self._rows["label"])
        """float32 [records, classes], NaN where unknown."""

    def __len__(self) -> int:
        return len(self._rows)

    def records(self, records: Sequence[int]) -> list[Range]:
        """Where records lie in the shard."""
        return self._ranges("record", records)

    def images(self, records: Sequence[int] | None = None) -> list[Range]:
        """Where images lie in the shard; of all without ``records``."""
        return self._ranges("image", records)

    def ids(self, records: Iterable[int] | None = None) -> list[str]:
        """File names of the films, as in the catalog; of all without ``records``."""
        return self._texts("id", records)

    def patients(self, records: Iterable[int] | None = None) -> list[str]:
        """Patients of the films, as the 16 hexadecimal digits of their hashes; of all without ``records``."""
        return self._texts("patient", records)

    def demographics(self, records: Iterable[int] | None = None) -> list[Demographics]:
        """Demographics of the films, unknown in sets of format version 2; of all without ``records``."""
        rows = self._chosen(records)
        if not {"sex", "age", "view"}.issubset(self._rows.dtype.names or ()):
            return [UNTOLD] * len(rows)
        told = zip(rows["sex"].tolist(), rows["age"].tolist(), rows["view"].tolist(), strict=True)
        return [stored_demographics(sex.decode(), age, view.decode()) for sex, age, view in told]

    def _chosen(self, records: Iterable[int] | None) -> npt.NDArray[Any]:
        return self._rows if records is None else self._rows[np.fromiter(records, np.int64)]

    def _ranges(self, field: str, records: Iterable[int] | None) -> list[Range]:
        rows = self._chosen(records)
        starts, sizes = rows[f"{field}_offset"].tolist(), rows[f"{field}_bytes"].tolist()
        return [Range(start, start + size) for start, size in zip(starts, sizes, strict=True)]

    def _texts(self, field: str, records: Iterable[int] | None) -> list[str]:
        return [each.decode() for each in self._chosen(records)[field].tolist()]


def _filled(row: Row) -> tuple[object, ...]:
    lies = (row.record.start, row.record.bytes, row.image.start, row.image.bytes)
    sex, age, view, _ = row.demographics
    return (*lies, row.label, row.id, row.patient, sex, -1 if age is None else age, view)


def _array(content: bytes) -> npt.NDArray[Any]:
    """What numpy.load reads, but without Python's parser, which CPython 3.11 breaks when threads use it at once.

    See https://github.com/python/cpython/issues/106905, and numpy.lib.format for the form.
    """
    if not content.startswith(_MAGIC):
        raise ValueError("not the file of a numpy array")
    end = len(_MAGIC) + 2 + int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "little")
    header = content[len(_MAGIC) + 2 : end].decode("latin-1")
    lists = header.replace("(", "[").replace(")", "]").replace("'", '"').replace("False", "false")
    described = json.loads(re.sub(r",\s*([\]}])", r"\1", lists))
    form = np.dtype([(name, kind, *map(tuple, shape)) for name, kind, *shape in described["descr"]])
    rows = np.frombuffer(content, form, offset=end)
    if [len(rows)] != described["shape"]:
        raise ValueError(f"{len(rows)} rows where {described['shape']} are named")
    return rows
