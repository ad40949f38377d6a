"""The shards: TFRecord files of Examples, beside each an index, so that a film is read without its neighbours."""

import hashlib
import io
import mmap
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.data.film.images import Pixels, decode_stored
from trainer.data.shard.example import EncodedExample, StoredFilm, encode_example
from trainer.data.shard.manifest import Manifest, ShardInfo, sha256_of
from trainer.data.shard.tfrecord import HEADER_BYTES, frame
from trainer.durable import partial_name, put_in_place, write_durably
from trainer.errors import DataError

INDEX_COLUMNS = (
    "record_offset",
    "record_bytes",
    "image_offset",
    "image_bytes",
    "label_offset",
    "id_offset",
    "id_bytes",
    "patient_offset",
    "patient_bytes",
)
INDEX_DTYPE = np.dtype([(column, "<i8") for column in INDEX_COLUMNS])
"""A row a record of ``<shard>.index.npy``: offsets from the start of the shard and sizes, in bytes."""

Floats = npt.NDArray[np.float32]


def shard_name(number: int) -> str:
    """The file name of a set's shard."""
    return f"shard-{number:05d}.tfrecord"


def index_path(shard: Path) -> Path:
    """The index beside a shard."""
    return shard.with_name(f"{shard.name}.index.npy")


class ShardWriter:
    """Streams films into a shard; it gets its name, and exists, at ``close``."""

    def __init__(self, directory: Path, name: str) -> None:
        self._path = directory / name
        self._file = partial_name(self._path).open("wb")
        self._hash = hashlib.sha256()
        self._rows: list[tuple[int, ...]] = []
        self.bytes = 0
        """Written so far."""

    def append(self, film: StoredFilm) -> None:
        """Adds a film as the next record."""
        example = encode_example(film)
        record = frame(example.data)
        self._rows.append(_index_row(self.bytes, len(record), example))
        self._file.write(record)
        self._hash.update(record)
        self.bytes += len(record)

    def close(self) -> ShardInfo:
        """Puts the index, then the shard in place: a shard that is there is whole and has its index."""
        index = io.BytesIO()
        np.save(index, np.array(self._rows, dtype=INDEX_DTYPE), allow_pickle=False)
        write_durably(index_path(self._path), index.getvalue())
        put_in_place(self._file, self._path)
        return ShardInfo(
            name=self._path.name,
            bytes=self.bytes,
            records=len(self._rows),
            sha256=self._hash.hexdigest(),
            index_sha256=sha256_of(index.getvalue()),
        )

    def abandon(self) -> None:
        """Lets go of a shard that will not be closed."""
        self._file.close()
        partial_name(self._path).unlink()


@dataclass(frozen=True)
class _Mapped:
    """A verified shard in memory, and the columns of its index that every batch needs."""

    content: Pixels
    memory: memoryview
    index: npt.NDArray[Any]
    image_offsets: list[int]
    image_bytes: list[int]
    label_offsets: list[int]


class ShardReader:
    """Reads films of one shard by record number, from a mapped file; safe to share between threads.

    Shard and index are opened, and checked against the manifest's hashes, when the first film is read.
    Methods raise DataError if a file is missing or its hash differs.
    """

    def __init__(self, directory: Path, manifest: Manifest, shard_index: int) -> None:
        self._info = manifest.shards[shard_index]
        self._path = directory / self._info.name
        self._encoding = manifest.image.encoding
        self._classes = len(manifest.classes)
        self._opening = threading.Lock()
        self._opened: _Mapped | None = None

    def image(self, record: int) -> Pixels:
        """One film as it is stored, uint8 [bytes], not a copy."""
        mapped = self._opened or self._mapped()
        start = mapped.image_offsets[record]
        return mapped.content[start : start + mapped.image_bytes[record]]

    def image_into(self, record: int, out: Pixels) -> None:
        """Copies or decodes one film into ``out``, uint8 [height, width]."""
        decode_stored(self.image(record).data, self._encoding, out)

    def label(self, record: int) -> Pixels:
        """The labels of one film as they are stored, uint8 [4 * classes] of float32, NaN where unknown; not a copy."""
        mapped = self._opened or self._mapped()
        start = mapped.label_offsets[record]
        return mapped.content[start : start + 4 * self._classes]

    def labels(self, records: Sequence[int]) -> Floats:
        """The labels of films: float32 [len(records), classes], NaN where unknown."""
        mapped = self._mapped()
        starts = mapped.index["label_offset"][np.asarray(records, dtype=np.int64)]
        places = starts[:, np.newaxis] + np.arange(4 * self._classes)
        return _floats(mapped.content[places])

    def ids(self, records: Iterable[int] | None = None) -> list[str]:
        """File names of the films, as in the catalog; of all without ``records``."""
        return self._texts("id", records)

    def patients(self, records: Iterable[int] | None = None) -> list[str]:
        """Patients of the films, as the 16 hexadecimal digits of their hashes; of all without ``records``."""
        return self._texts("patient", records)

    def _texts(self, field: str, records: Iterable[int] | None) -> list[str]:
        mapped = self._mapped()
        starts, sizes = mapped.index[f"{field}_offset"].tolist(), mapped.index[f"{field}_bytes"].tolist()
        wanted = range(self._info.records) if records is None else records
        return [str(mapped.memory[starts[each] : starts[each] + sizes[each]], "utf-8") for each in wanted]

    def _mapped(self) -> _Mapped:
        if self._opened is None:
            with self._opening:
                if self._opened is None:
                    self._opened = self._open()
        return self._opened

    def _open(self) -> _Mapped:
        index_file = _verified(index_path(self._path), self._info.index_sha256)
        index = np.load(io.BytesIO(index_file), allow_pickle=False)
        memory = memoryview(_verified(self._path, self._info.sha256))
        offsets, sizes = index["image_offset"].tolist(), index["image_bytes"].tolist()
        labels = index["label_offset"].tolist()
        return _Mapped(np.frombuffer(memory, dtype=np.uint8), memory, index, offsets, sizes, labels)


def _index_row(start: int, size: int, example: EncodedExample) -> tuple[int, ...]:
    """The row of a record of ``size`` bytes that starts at ``start``, in the order of ``INDEX_COLUMNS``."""
    data = start + HEADER_BYTES
    sized = (example.image, example.film, example.patient)
    image, film, patient = ((data + span.offset, span.bytes) for span in sized)
    return (start, size, *image, data + example.label.offset, *film, *patient)


def _floats(content: Pixels) -> Floats:
    floats: Floats = content.view("<f4")
    return floats


def _verified(path: Path, expected: str) -> mmap.mmap:
    """The file in memory, read-only. Raises DataError unless it has the expected SHA-256."""
    cure = "copy the set anew or run 'cxr-train prepare'"
    if not path.is_file() or not path.stat().st_size:
        raise DataError(str(path), expected[:12], "is the SHA-256 of a file that is missing or empty", cure)
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(str(path), found[:12], f"is not the SHA-256 in the manifest, {expected[:12]}", cure)
    return content
