"""Sources: files matched to the catalog's films."""

import gc
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.source.sources import Archive, FilmFinder, find_in_folders, open_sources, shuffled, stream_archive
from trainer.errors import DataError, UsageError

STORES = StoreConfig()


@pytest.mark.parametrize("path", ["a.png", "images_001/images/a.png", "/data/a.jpg", "x/a.JPEG"])
def test_a_film_is_found_by_name_or_by_stem_with_another_image_suffix(path: str) -> None:
    assert FilmFinder(["b.png", "a.png"], "nih").find(path) == 1


@pytest.mark.parametrize("path", ["a.txt", "aa.png", "a", "a.png.part", "._a.png"])
def test_other_files_are_no_film(path: str) -> None:
    assert FilmFinder(["a.png"], "nih").find(path) is None


def test_the_exact_name_goes_before_the_stem() -> None:
    finder = FilmFinder(["a.png", "a.jpg"], "csv")
    assert [finder.find("a.jpg"), finder.find("a.png")] == [1, 0]


def test_only_image_files_count_as_unlisted() -> None:
    finder = FilmFinder(["a.png"], "nih")
    for path in ("b.png", "c.jpg", "README.md", "table.csv"):
        finder.find(path)
    assert finder.unlisted == 2


def test_two_files_for_one_film_name_both() -> None:
    finder = FilmFinder(["a.png"], "nih")
    finder.find("x/a.png")
    with pytest.raises(DataError, match=r"prepare.source: 'y/a.jpg' is the same film as 'x/a.png'; keep one"):
        finder.find("y/a.jpg")


@pytest.mark.parametrize(
    "path", ["/root/train/patient00002/study1/view1_frontal.jpg", "patient00002/study1/view1_frontal.jpg"]
)
def test_a_chexpert_film_is_found_by_patient_study_and_view(path: str) -> None:
    films = [f"CheXpert-v1.0-small/train/patient0000{n}/study1/view1_frontal.jpg" for n in (1, 2)]
    assert FilmFinder(films, "chexpert").find(path) == 1


def test_a_csv_may_name_films_by_path() -> None:
    finder = FilmFinder(["p1/a.png", "p2/a.png"], "csv")
    assert [finder.find("x/p2/a.png"), finder.find("x/p3/a.png")] == [1, None]


@given(films=st.lists(st.text("abc", min_size=1, max_size=5), unique=True), seed=st.integers(0, 99))
def test_the_order_holds_every_film_and_does_not_depend_on_the_given_one(films: list[str], seed: int) -> None:
    order = [films[number] for number in shuffled(films, seed)]
    backwards = films[::-1]
    assert sorted(order) == sorted(films)
    assert order == [backwards[number] for number in shuffled(backwards, seed)]


def test_folders_are_searched_to_the_bottom(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    for name in ("a.png", "x/b.png", "x/y/c.png"):
        (tmp_path / name).touch()
    finder = FilmFinder(["a.png", "b.png", "c.png"], "nih")
    found = find_in_folders([str(tmp_path / "x")], STORES, finder)
    assert found == {1: (0, "b.png"), 2: (0, "y/c.png")}
    assert finder.found[2] == str(tmp_path / "x" / "y" / "c.png")


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "films.zip").touch()
    with pytest.raises(DataError, match=r"prepare.source: '.*films.zip' is a file, but no archive .*; check the path"):
        open_sources(PrepareConfig(source=(str(tmp_path / "films.zip"),)), STORES)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    sources = open_sources(PrepareConfig(source=(str(tmp_path / name),)), STORES)
    with pytest.raises(DataError, match=rf"prepare.source: '.*{name}' holds no file; check the path"):
        find_in_folders(sources.folders, STORES, FilmFinder(["a.png"], "nih"))


def test_no_source_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"prepare.source: \(\) is empty; name folders"):
        open_sources(PrepareConfig(), STORES)


def opened(path: Path) -> Archive:
    return open_sources(PrepareConfig(source=(str(path),)), STORES).archives[0]


def archive(path: Path, mode: str) -> None:
    with tarfile.open(path, mode) as tar:
        for name in ("images/a.png", "images/b.png", "notes.txt"):
            member = tarfile.TarInfo(name)
            member.size = 20_000
            tar.addfile(member, io.BytesIO((name.encode() * 3000)[:20_000]))


@pytest.mark.parametrize(("name", "mode"), [("films.tar", "w"), ("films.tar.gz", "w:gz"), ("films.tgz", "w:gz")])
def test_an_archive_gives_its_films_in_its_order(tmp_path: Path, name: str, mode: str) -> None:
    archive(tmp_path / name, mode)
    found = list(stream_archive(opened(tmp_path / name), FilmFinder(["b.png", "a.png"], "nih")))
    assert [(number, content[:12]) for number, content in found] == [(1, b"images/a.png"), (0, b"images/b.png")]


@pytest.mark.parametrize(("name", "mode"), [("films.tar", "w"), ("films.tar.gz", "w:gz")])
def test_a_damaged_archive_is_a_data_error(tmp_path: Path, name: str, mode: str) -> None:
    archive(tmp_path / name, mode)
    content = (tmp_path / name).read_bytes()
    for broken in (content[: len(content) // 2], b"no archive" * 100):
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(DataError, match=rf"prepare.source: '.*{name}' is damaged \(.*\); copy the archive anew"):
            list(stream_archive(opened(tmp_path / name), FilmFinder(["a.png", "b.png"], "nih")))


def test_of_an_archive_no_more_than_a_film_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.data.source.sources.LARGEST_BYTES", 100)
    archive(tmp_path / "films.tar", "w")
    found = stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["b.png", "a.png"], "nih"))
    assert [len(content) for _, content in found] == [101, 101]


def test_an_archive_of_many_files_is_not_kept_in_memory(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "films.tar", "w") as tar:
        for number in range(100):
            tar.addfile(tarfile.TarInfo(f"{number}.png"))
    before = len([each for each in gc.get_objects() if isinstance(each, tarfile.TarInfo)])
    films = FilmFinder([f"{number}.png" for number in range(100)], "nih")
    known = [
        len([each for each in gc.get_objects() if isinstance(each, tarfile.TarInfo)])
        for _ in stream_archive(opened(tmp_path / "films.tar"), films)
    ]
    assert len(known) == 100
    assert max(known) - before < 10


def test_a_header_with_a_number_that_is_none_is_a_damaged_archive(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "films.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a.png")
        member.pax_headers = {"GNU.sparse.size": "many"}
        tar.addfile(member)
    with pytest.raises(DataError, match="is damaged"):
        list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png"], "nih")))


@pytest.mark.parametrize("cut", [2 * 20_992, 20_992 + 300])
def test_an_archive_that_is_cut_off_between_films_is_damaged(tmp_path: Path, cut: int) -> None:
    archive(tmp_path / "films.tar", "w")
    whole = (tmp_path / "films.tar").read_bytes()
    (tmp_path / "films.tar").write_bytes(whole[:cut])
    with pytest.raises(DataError, match="is damaged"):
        list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png", "b.png"], "nih")))


def test_no_film_is_missed_behind_a_damaged_header(tmp_path: Path) -> None:
    archive(tmp_path / "films.tar", "w")
    content = bytearray((tmp_path / "films.tar").read_bytes())
    content[20_992] ^= 1
    (tmp_path / "films.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged \(bad checksum"):
        list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png", "b.png"], "nih")))


def test_a_header_that_claims_to_be_large_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("header")
    member.type, member.size = tarfile.XHDTYPE, 2**40
    (tmp_path / "films.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(DataError, match=f"extension of {2**40} bytes"):
        list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png"], "nih")))


def test_headers_of_headers_are_a_damaged_archive(tmp_path: Path) -> None:
    member = tarfile.TarInfo("header")
    member.type = tarfile.XHDTYPE
    (tmp_path / "films.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) * 2000)
    with pytest.raises(DataError, match="is damaged"):
        list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png"], "nih")))


def test_long_names_and_global_headers_are_read(tmp_path: Path) -> None:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        with tarfile.open(tmp_path / "films.tar", "w", format=form, pax_headers={"comment": "set"}) as tar:
            tar.addfile(tarfile.TarInfo(f"{'long/' * 60}a.png"))
        found = list(stream_archive(opened(tmp_path / "films.tar"), FilmFinder(["a.png"], "nih")))
        assert found == [(0, b"")]
