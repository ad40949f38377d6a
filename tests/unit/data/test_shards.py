"""Shards: what was written is read back, by record, and a changed byte is noticed."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.recfunctions import repack_fields

from trainer.data.cache.in_place import InPlace
from trainer.data.film.images import Encoding, Pixels, decode_stored, encode
from trainer.data.shard.example import StoredFilm
from trainer.data.shard.index import Row, ShardIndex, encode_index, index_name
from trainer.data.shard.manifest import Made, Manifest, PatientsFile
from trainer.data.shard.shard import Shard
from trainer.data.shard.shards import ShardWriter, frame_film
from trainer.data.shard.tfrecord import frame, is_sound
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Range
from trainer.demographics import UNTOLD, Demographics
from trainer.errors import DataError

NAME = "shard-00000.tfrecord"
ROW = Row(Range(0, 9), Range(1, 3), (1.0,), b"a.png", "0" * 16)
CLASSES = ("Mass", "Hernia", "Edema")


def images(count: int, height: int = 12, width: int = 10) -> list[Pixels]:
    rng = np.random.default_rng(count)
    return [np.full((height, width), level, np.uint8) for level in rng.integers(0, 256, count)]


def labels(number: int) -> tuple[float, ...]:
    return (float(number % 2), float("nan"), 1.0)


def write(directory: Path, films: list[Pixels], encoding: Encoding = "raw") -> Manifest:
    writer = ShardWriter(FolderStore(directory, "test"), NAME)
    for number, film in enumerate(films):
        name = f"{'x' * number}{number}.png"
        stored = encode(film, encoding, 98)
        writer.append(frame_film(StoredFilm(name, f"{number:016x}", labels(number), stored, encoding, *film.shape)))
    return Manifest(
        labels="test",
        classes=CLASSES,
        split="training",
        films=len(films),
        patients=len(films),
        image={"height": films[0].shape[0], "width": films[0].shape[1], "encoding": encoding},
        counts={},
        shards=(writer.close(),),
        patients_file=PatientsFile(sha256="0" * 64, key_fingerprint="0" * 16),
        made=Made(program="0", catalog="nih", seed=0, films_bad=0, films_missing=0),
    )


def written(directory: Path, films: list[Pixels], encoding: Encoding = "raw") -> Shard:
    return opened(directory, write(directory, films, encoding))


def opened(directory: Path, manifest: Manifest) -> Shard:
    return InPlace(FolderStore(directory, "test"), manifest).bring(0).shard


@pytest.mark.parametrize("encoding", ["raw", "jpeg", "png"])
def test_films_come_back_by_record_in_any_order(tmp_path: Path, encoding: Encoding) -> None:
    films = images(9)
    shard = written(tmp_path, films, encoding)
    wanted = [8, 0, 3, 3]
    out = np.zeros((4, 12, 10), np.uint8)
    for record, film in zip(wanted, out, strict=True):
        decode_stored(shard.films[record].image.data, encoding, film)
    np.testing.assert_array_equal(out, [films[each] for each in wanted])


def test_labels_ids_and_patients_come_back(tmp_path: Path) -> None:
    shard = written(tmp_path, images(12))
    for record in (11, 4):
        np.testing.assert_array_equal(np.frombuffer(shard.films[record].labels, "<f4"), np.float32(labels(record)))
    index = shard.index
    np.testing.assert_array_equal(index.labels[4], np.float32(labels(4)))
    assert index.ids([10, 0]) == ["xxxxxxxxxx10.png", "0.png"]
    assert index.ids()[3] == "xxx3.png"
    assert index.patients([11]) == ["000000000000000b"]
    assert len(index.patients()) == len(index) == 12


@settings(max_examples=50)
@given(names=st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=300), min_size=1))
def test_any_name_comes_back_from_the_index(names: list[str]) -> None:
    rows = [Row(Range(0, 9), Range(1, 3), (1.0,), name.encode(), "0" * 16) for name in names]
    content = encode_index(rows)
    assert ShardIndex(content).ids() == names
    assert np.array_equal(ShardIndex(content)._rows, np.load(io.BytesIO(content), allow_pickle=False))


def test_demographics_come_back_from_the_index() -> None:
    people = [Demographics("F", 0, "lateral"), Demographics("", None, "PA"), Demographics("O", 90, ""), UNTOLD]
    index = ShardIndex(encode_index([ROW._replace(demographics=each) for each in people]))
    assert index.demographics() == people
    assert index.demographics([2, 0]) == [people[2], people[0]]


def test_an_index_of_format_version_2_is_read_and_knows_no_demographics() -> None:
    rows = np.load(io.BytesIO(encode_index([ROW, ROW._replace(demographics=Demographics("F", 40, "AP"))])))
    older = io.BytesIO()
    np.save(older, repack_fields(rows[[name for name in rows.dtype.names if name not in ("sex", "age", "view")]]))
    index = ShardIndex(older.getvalue())
    assert index.ids() == ["a.png", "a.png"]
    assert index.demographics() == [UNTOLD, UNTOLD]
    assert index.demographics([1]) == [UNTOLD]


@pytest.mark.parametrize("end", [0, 6, 8, -1, -57])
def test_part_of_an_index_is_a_value_error(end: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        ShardIndex(encode_index([ROW])[:end])


def test_equal_films_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, images(4))
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_index_is_plain_numpy_and_covers_the_shard(tmp_path: Path) -> None:
    write(tmp_path, images(5))
    content = (tmp_path / NAME).read_bytes()
    index = np.load(tmp_path / index_name(NAME), allow_pickle=False)
    starts, sizes = index["record_offset"], index["record_bytes"]
    np.testing.assert_array_equal(starts, np.cumsum(sizes) - sizes)
    assert starts[-1] + sizes[-1] == len(content)
    assert all(is_sound(content[start : start + size]) for start, size in zip(starts, sizes, strict=True))


def test_a_shard_does_not_exist_until_it_is_closed(tmp_path: Path) -> None:
    writer = ShardWriter(FolderStore(tmp_path, "test"), NAME)
    writer.append(frame_film(StoredFilm("a.png", "0" * 16, (1.0,), bytes(4), "raw", 2, 2)))
    assert not (tmp_path / NAME).exists()
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", [NAME, f"{NAME}.index.npy"])
def test_a_flipped_byte_names_the_file_and_both_hashes(tmp_path: Path, damaged: str) -> None:
    manifest = write(tmp_path, images(5))
    path = tmp_path / damaged
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        opened(tmp_path, manifest)
    info = manifest.shards[0]
    expected = info.sha256 if damaged == NAME else info.index_sha256
    assert str(error.value).startswith(str(path))
    assert expected[:12] in str(error.value)
    assert "cxr-train prepare" in str(error.value)


@pytest.mark.parametrize("content", [None, b""])
@pytest.mark.parametrize("damaged", [NAME, f"{NAME}.index.npy"])
def test_a_missing_or_empty_file_is_a_data_error(tmp_path: Path, damaged: str, content: bytes | None) -> None:
    manifest = write(tmp_path, images(2))
    (tmp_path / damaged).unlink()
    if content is not None:
        (tmp_path / damaged).write_bytes(content)
    with pytest.raises(DataError, match=r"missing or empty; copy the set anew"):
        opened(tmp_path, manifest)


@settings(max_examples=50)
@given(data=st.binary(max_size=200), place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_flipped_bit_leaves_a_record_sound(data: bytes, place: int, bit: int) -> None:
    record = bytearray(frame(data))
    assert is_sound(bytes(record))
    record[place % len(record)] ^= 1 << bit
    assert not is_sound(bytes(record))
