"""Demographics on their way into a set: from the table, else from the DICOM header, or not at all where not wanted."""

from pathlib import Path

import numpy as np
import pytest

from tests.dicom_files import file_of
from tests.unit.data.prepare.given import ALL_FILMS, run, settings, shards, told_of, tree
from trainer.config import ColumnsConfig, PrepareConfig
from trainer.data.film_set import FilmSet
from trainer.data.prepare.result import PrepareResult
from trainer.data.shard.manifest import read_manifest
from trainer.data.store.folder import FolderStore
from trainer.demographics import UNTOLD, Demographics, parse_demographics
from trainer.errors import DataError

SPLITS = ("training", "validation", "test")

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")


def opened(prepared: Path, split: str) -> FilmSet:
    return FilmSet.open(FolderStore(prepared / split, f"data.{split}"))


def test_every_film_of_the_set_has_what_the_table_tells_of_it(prepared: Path) -> None:
    for split in SPLITS:
        films = opened(prepared, split)
        for name, person in zip(films.ids(), films.demographics(), strict=True):
            age, sex, view = told_of(ALL_FILMS.index(name))
            assert person == parse_demographics(sex, age, view)._replace(unread=())


def test_the_manifest_counts_the_groups_of_its_own_films(prepared: Path) -> None:
    unread = 0
    for split in SPLITS:
        films = opened(prepared, split)
        people = films.manifest.people
        assert people is not None
        for trait, counts in (("sex", people.sex), ("age", people.age), ("view", people.view)):
            found = [person.group(trait) or "unknown" for person in films.demographics()]
            assert counts == {name: found.count(name) for name in counts}
            assert sum(counts.values()) == films.manifest.films
        unread += people.unread["age"]
    # Each 20th is 411 years old.
    assert unread == len(ALL_FILMS) / 20


def test_prepare_tells_how_many_ages_made_no_sense(source: Path, tmp_path: Path) -> None:
    assert "0 missing, 6 with a senseless age, 0 files not" in run(settings(source, tmp_path / "sets")).summary()


def test_without_demographics_nothing_of_them_is_in_the_set(source: Path, prepared: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", demographics=()))
    for split in SPLITS:
        films = opened(tmp_path / "sets", split)
        assert set(films.demographics()) == {UNTOLD}
        assert films.ids() == opened(prepared, split).ids()
    for name, content in tree(tmp_path / "sets").items():
        if name.endswith(".tfrecord"):
            assert not any(word in content for word in (b"sex", b"age\x12", b"view"))


def test_one_trait_alone_may_be_kept(source: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", demographics=["view"]))
    people = opened(tmp_path / "sets", "training").demographics()
    assert {each.view for each in people} == {"PA", "AP", ""}
    assert {(each.sex, each.age) for each in people} == {("", None)}


def test_a_place_begun_with_other_traits_is_refused(source: Path, prepared: Path) -> None:
    begun = r"was begun with prepare.demographics '.*view.*', which is now '\[\]'; remove it"
    with pytest.raises(DataError, match=begun):
        run(settings(source, prepared, demographics=()))


HEADERS = {
    "all.dcm": {"PatientSex": "F", "PatientAge": "093Y", "ViewPosition": "PA"},
    "position.dcm": {"PatientSex": "M", "PatientAge": "007M", "ViewPosition": "", "PatientPosition": "AP"},
    "none.dcm": {"ViewPosition": ""},
    "senseless.dcm": {"PatientSex": "X", "PatientAge": "411Y", "ViewPosition": "PA"},
    "birth.dcm": {"ViewPosition": "", "PatientBirthDate": "19500101", "StudyDate": "20100101"},
}


def from_dicom(tmp_path: Path, table: str, **changes: object) -> tuple[PrepareResult, dict[str, Demographics]]:
    (tmp_path / "films").mkdir()
    for name, elements in HEADERS.items():
        (tmp_path / "films" / name).write_bytes(file_of(np.zeros((140, 150), np.uint16), **elements))
    (tmp_path / "table.csv").write_text(table)
    given = {
        "source": str(tmp_path / "films"),
        "destination": str(tmp_path / "sets"),
        "table": str(tmp_path / "table.csv"),
        "catalog": "csv",
        "split": "patient",
        "validation_fraction": 0,
        "test_fraction": 0,
        "image_size": 16,
        "processes": 1,
    }
    result = run(PrepareConfig.model_validate(given | changes))
    (shard,) = shards(tmp_path / "sets" / "training")
    return result, dict(zip(shard.index.ids(), shard.index.demographics(), strict=True))


BARE = "film,patient,findings\n" + "".join(f"{name},{name},Mass\n" for name in HEADERS)


def test_what_the_table_does_not_tell_the_header_does(tmp_path: Path) -> None:
    result, people = from_dicom(tmp_path, BARE)
    assert people == {
        "all.dcm": Demographics("F", 90, "PA"),
        "position.dcm": Demographics("M", 0, "AP"),
        "none.dcm": UNTOLD,
        "senseless.dcm": Demographics("", None, "PA"),
        "birth.dcm": UNTOLD,
    }
    assert result.films_unread == {"sex": 1, "age": 1}


def test_the_table_is_believed_before_the_header_trait_by_trait(tmp_path: Path) -> None:
    rows = {"all.dcm": "M,,lateral", "position.dcm": ",5,", "none.dcm": "F,30,AP", "senseless.dcm": "F,999,"}
    table = "film,patient,findings,s,a,v\n" + "".join(
        f"{name},{name},Mass,{rows.get(name, ',,')}\n" for name in HEADERS
    )
    result, people = from_dicom(tmp_path, table, columns=ColumnsConfig(sex="s", age="a", view="v"))
    assert people == {
        "all.dcm": Demographics("M", 90, "lateral"),
        "position.dcm": Demographics("M", 5, "AP"),
        "none.dcm": Demographics("F", 30, "AP"),
        "senseless.dcm": Demographics("F", None, "PA"),
        "birth.dcm": UNTOLD,
    }
    assert result.films_unread == {"age": 1}


def test_headers_are_not_asked_for_what_is_not_wanted(tmp_path: Path) -> None:
    _, people = from_dicom(tmp_path, BARE, demographics=("age",))
    assert {name: each for name, each in people.items() if each != UNTOLD} == {
        "all.dcm": Demographics(age=90),
        "position.dcm": Demographics(age=0),
    }
    manifest = read_manifest(FolderStore(tmp_path / "sets" / "training", ""))
    assert manifest.people is not None
    assert manifest.people.sex["unknown"] == len(HEADERS)
