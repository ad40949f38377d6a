"""Films without labels: counted once in one order, shared by whole batches, made ready as for a set; bad ones told."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dicom_files import file_of
from tests.s3 import Bucket
from trainer.config import DicomConfig, StoreConfig
from trainer.data.film.images import decode, resize
from trainer.data.source.unlabelled import UnlabelledFilms
from trainer.data.unlabelled_batches import Look, UnlabelledBatch, unlabelled_batches
from trainer.errors import DataError, UsageError

SIDE = 24
STORES = StoreConfig()
LOOK = Look(SIDE, 16, DicomConfig(minimum_side=16))


def film(number: int, height: int = 40, width: int = 30, kind: str = "png") -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (height, width), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def batches_of(
    *source: str,
    batch_size: int = 4,
    rank: int = 0,
    world_size: int = 1,
    processes: int = 1,
    stores: StoreConfig = STORES,
) -> tuple[list[UnlabelledBatch], list[str]]:
    films = UnlabelledFilms(source, stores)
    found = unlabelled_batches(
        films, stores, LOOK, batch_size=batch_size, rank=rank, world_size=world_size, processes=processes
    )
    return list(found), films.names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten films in subfolders, and files that are none."""
    films = tmp_path / "films"
    for number in range(10):
        place = films / f"ward{number % 3}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.{'jpg' if number % 2 else 'png'}").write_bytes(
            film(number, kind="jpeg" if number % 2 else "png")
        )
    (films / "notes.txt").write_text("no film")
    (films / ".hidden.png").write_bytes(b"")
    return films


def packed(folder: Path, file: Path) -> Path:
    with tarfile.open(file, "w:gz" if file.suffix == ".gz" else "w") as tar:
        tar.add(folder, arcname="set")
    return file


def test_films_are_those_that_prepare_would_store(folder: Path) -> None:
    found, names = batches_of(str(folder))
    assert names == sorted(names)
    assert [each.films for each in found] == [4, 4, 2]
    for number, name in enumerate(names):
        expected = resize(decode((folder / name).read_bytes(), name=name, minimum_side=16), SIDE)
        assert np.array_equal(found[number // 4].images[number % 4, :, :, 0], expected)
    assert not found[-1].images[2:].any()


@pytest.mark.parametrize("world_size", [2, 3, 7])
def test_ranks_share_batches_that_do_not_depend_on_their_number(folder: Path, world_size: int) -> None:
    alone, names = batches_of(str(folder), batch_size=2)
    together = []
    for rank in range(world_size):
        share, seen = batches_of(str(folder), batch_size=2, rank=rank, world_size=world_size)
        assert [each.number for each in share] == list(range(rank, len(alone), world_size))
        assert seen == names
        together += share
    for one, other in zip(alone, sorted(together, key=lambda each: each.number), strict=True):
        assert np.array_equal(one.images, other.images)


@pytest.mark.parametrize("name", ["films.tar", "films.tar.gz"])
def test_an_archive_holds_the_same_films(folder: Path, tmp_path: Path, name: str) -> None:
    found, names = batches_of(str(packed(folder, tmp_path / name)))
    from_folder, _ = batches_of(str(folder))
    images = {each: found[number // 4].images[number % 4] for number, each in enumerate(names)}
    assert len(names) == 10
    for number, each in enumerate(batches_of(str(folder))[1]):
        assert np.array_equal(images[f"set/{each}"], from_folder[number // 4].images[number % 4])


def test_processes_side_by_side_change_nothing(folder: Path, tmp_path: Path) -> None:
    sources = (str(folder), str(packed(folder, tmp_path / "films.tar")))
    alone, side_by_side = batches_of(*sources)[0], batches_of(*sources, processes=2)[0]
    assert all(np.array_equal(one.images, other.images) for one, other in zip(alone, side_by_side, strict=True))


def test_of_several_sources_each_film_is_named_with_its_own(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "films.tar")
    _, names = batches_of(str(folder), str(archive))
    assert len(set(names)) == 20
    assert all(name.startswith((f"{folder}/", f"{archive}/set/")) for name in names)


def test_a_prefix_of_a_bucket_is_read_alike(folder: Path, s3: Bucket) -> None:
    for path in folder.rglob("*.*"):
        place = s3.folder / "films" / path.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    found, names = batches_of(f"{s3.url}/films", stores=s3.config)
    expected, in_folder = batches_of(str(folder))
    assert names == in_folder
    assert all(np.array_equal(one.images, other.images) for one, other in zip(found, expected, strict=True))


BAD = {
    "a_truncated.png": (film(1)[:-20], "is a truncated PNG"),
    "b_empty.png": (b"", "is empty"),
    "c_text.jpg": (b"GIF89a", "is neither PNG, JPEG nor DICOM"),
    "d_small.png": (film(2, 8, 8), "a side below 16"),
    "e_cut.jpg": (film(3, kind="jpeg")[:300], "is a broken JPEG"),
    "f_lateral": (file_of(np.zeros((40, 40), np.uint8), ViewPosition="LL"), "left out by prepare.dicom: view"),
}


def test_a_bad_film_is_told_with_its_reason_and_harms_no_other(tmp_path: Path) -> None:
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "g_good.png").write_bytes(film(9))
    (found, *more), names = batches_of(str(tmp_path), batch_size=8)
    assert (names, more) == ([*BAD, "g_good.png"], [])
    assert set(found.faults) == set(range(len(BAD)))
    for number, (_, reason) in enumerate(BAD.values()):
        assert reason in found.faults[number]
        assert not found.images[number].any()
    assert found.images[len(BAD)].any()


def test_a_file_too_large_for_a_film_is_told_and_harms_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = film(1), film(2, 20, 20)
    for module in ("trainer.data.film.pixels", "trainer.data.source.sources"):
        monkeypatch.setattr(f"{module}.LARGEST_BYTES", len(small))
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.png").write_bytes(large)
    (tmp_path / "films" / "b.png").write_bytes(small)
    for source in (tmp_path / "films", packed(tmp_path / "films", tmp_path / "films.tar")):
        (found,), names = batches_of(str(source))
        assert {names[each].removeprefix("set/"): why for each, why in found.faults.items()} == {
            "a.png": f"is a file of more than {len(small)} bytes"
        }


def test_dicom_films_need_no_suffix_and_tell_nothing_of_their_header(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    secrets = {"PatientName": "Doe^Jane", "PatientID": "MRN-4711", "StudyInstanceUID": "1.2.826.99"}
    (tmp_path / "IM0001").write_bytes(file_of(pixels, **secrets))
    (tmp_path / "1.2.3").write_bytes(file_of(pixels, **secrets)[:-900])
    (found,), names = batches_of(str(tmp_path))
    assert names == ["1.2.3", "IM0001"]
    assert list(found.faults) == [0]
    assert found.images[1].any()
    assert not any(secret in f"{names}{found.faults}" for secret in secrets.values())


def test_no_name_is_a_formula(tmp_path: Path) -> None:
    for name in ("=HYPERLINK(1).png", "-1.png", "+a.png", "@b.png", "c=d.png"):
        (tmp_path / name).write_bytes(film(1))
    (first, *_), names = batches_of(str(tmp_path))
    assert sorted(names) == ["./+a.png", "./-1.png", "./=HYPERLINK(1).png", "./@b.png", "c=d.png"]
    assert not first.faults


def test_a_folder_without_films_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no film")
    with pytest.raises(DataError, match=r"^predict.source: .* holds no film"):
        batches_of(str(tmp_path))


def test_an_archive_that_names_a_film_twice_is_refused(tmp_path: Path) -> None:
    content = film(1)
    with tarfile.open(tmp_path / "films.tar", "w") as tar:
        for name in ("a.png", "b.png", "a.png"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(DataError, match=r"predict\.source: .*films\.tar' holds 'a\.png' twice; keep one file a film"):
        batches_of(str(tmp_path / "films.tar"))


def test_a_source_named_twice_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match=r"twice; .* name no source twice"):
        batches_of(str(folder), str(folder))


def test_no_source_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^predict.source: \(\) is empty"):
        UnlabelledFilms((), STORES)


def test_an_archive_that_ends_early_is_refused(folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, tmp_path / "films.tar.gz")
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"^predict.source: .* is damaged"):
        batches_of(str(archive))
