"""DICOM films among others: taken or left out by rule, counted by the rule, and nothing of their headers goes on."""

from pathlib import Path

import pandas as pd
import pydicom
import pytest

from tests.unit.data.prepare.given import REAL_FILMS, run, shards, tree
from trainer.config import ColumnsConfig, PrepareConfig
from trainer.labels import NIH15

DICOM = REAL_FILMS / "dicom"
LEFT_OUT = {
    "cr_jpeg_extended_12bit_undecodable.dcm": "body_part",
    "nih_dx_test4.dcm": "body_part",
    "nih_dx_test5.dcm": "modality",
    "nih_dx_test6.dcm": "view",
}

pytestmark = pytest.mark.skipif(not DICOM.is_dir(), reason=f"{DICOM} has no DICOM films")


def config(tmp_path: Path, **changes: object) -> PrepareConfig:
    """All of them, each of a patient of its own, in one set."""
    films = sorted(path.name for path in DICOM.iterdir())
    rows = [f"{film},{number},Mass" for number, film in enumerate(films)]
    (tmp_path / "table.csv").write_text("\n".join(["film,patient,findings", *rows]))
    given = {
        "source": (str(DICOM),),
        "destination": str(tmp_path / "sets"),
        "catalog": "csv",
        "columns": ColumnsConfig(),
        "table": str(tmp_path / "table.csv"),
        "split": "patient",
        "validation_fraction": 0.0,
        "test_fraction": 0.0,
        "image_size": 64,
        "processes": 1,
    }
    return PrepareConfig.model_validate(given | changes)


def test_films_left_out_by_rule_are_counted_listed_and_told(tmp_path: Path) -> None:
    result = run(config(tmp_path))
    made = result.manifests["training"].made
    assert (made.films_bad, made.films_missing) == (0, 0)
    assert made.films_skipped == {"body_part": 2, "modality": 1, "view": 1}
    assert result.manifests["training"].films == 6
    assert "1 left out by modality" in result.summary()
    listed = pd.read_csv(tmp_path / "sets" / "bad_films.csv")
    assert dict(zip(listed["film"], listed["reason"], strict=True)) == LEFT_OUT


def test_the_rest_is_stored_as_films(tmp_path: Path) -> None:
    run(config(tmp_path))
    (shard,) = shards(tmp_path / "sets" / "training")
    assert set(shard.index.ids()) == {path.name for path in DICOM.iterdir()} - LEFT_OUT.keys()
    assert len(shard.films) == 6
    for film in shard.films:
        assert film.image.size == 64 * 64
        assert film.image.std() > 20


def test_a_film_that_cannot_be_decoded_is_bad_once_no_rule_leaves_it_out(tmp_path: Path) -> None:
    rules = {"body_parts": (), "views": (), "modalities": ()}
    result = run(config(tmp_path, dicom=rules, on_bad_film="skip"))
    assert result.films_bad == 1
    assert result.films_skipped == {}
    listed = pd.read_csv(tmp_path / "sets" / "bad_films.csv")
    assert listed["film"].tolist() == ["cr_jpeg_extended_12bit_undecodable.dcm"]


def identifiers(file: Path) -> set[str]:
    """Words of the header that tell who, where or when."""
    header = pydicom.dcmread(file, stop_before_pixels=True)
    words = set()
    for element in header.iterall():
        if element.VR in ("PN", "LO", "SH", "UI", "DA", "LT", "ST", "AE"):
            values = element.value if isinstance(element.value, pydicom.multival.MultiValue) else [element.value]
            words |= {str(each) for each in values}
    return {word for word in words if len(word) >= 6}


def test_no_word_of_a_header_is_in_the_sets(tmp_path: Path) -> None:
    run(config(tmp_path, encoding="png"))
    # Of NIH's films, a description is the name of a class.
    words = set().union(*(identifiers(path) for path in DICOM.iterdir())) - set(NIH15.classes)
    assert len(words) > 20
    made = tree(tmp_path / "sets")
    # Holds the rules, in which such words are.
    del made["prepare.json"]
    for name, content in made.items():
        found = {word for word in words if word.encode() in content}
        assert not found, (name, found)


def test_processes_read_dicom_alike(tmp_path: Path) -> None:
    run(config(tmp_path, destination=str(tmp_path / "one")))
    run(config(tmp_path, destination=str(tmp_path / "two"), processes=2))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
