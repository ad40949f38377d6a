"""Real DICOM films: those that are no frontal chest films are counted by rule, those that cannot be decoded are bad."""

from pathlib import Path

import pytest

from tests.unit.data.prepare.given import REAL_FILMS, run
from trainer.config import PrepareConfig
from trainer.data.prepare.result import PrepareResult

DICOM = REAL_FILMS / "dicom"

pytestmark = pytest.mark.skipif(not DICOM.is_dir(), reason=f"{DICOM} has no DICOM films: set CXR_TRAIN_TEST_FILMS")


def prepared(tmp_path: Path, **settings: object) -> PrepareResult:
    names = sorted(path.name for path in DICOM.iterdir())
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["film,patient,findings", *(f"{name},{name},No Finding" for name in names)]))
    given = {
        "source": str(DICOM),
        "destination": str(tmp_path / "sets"),
        "table": str(table),
        "catalog": "csv",
        "columns": {"findings": "findings"},
        "split": "patient",
        "validation_fraction": 0,
        "test_fraction": 0,
        "image_size": 64,
        "processes": 1,
    }
    return run(PrepareConfig.model_validate(given | settings))


def test_films_left_out_by_rule_are_counted_and_need_no_leave(tmp_path: Path) -> None:
    made = prepared(tmp_path).manifests["training"]
    assert made.films == 6
    assert made.made.films_skipped == {"body_part": 2, "modality": 1, "view": 1}
    assert made.made.films_bad == 0


def test_a_film_that_no_rule_leaves_out_and_no_decoder_reads_is_bad(tmp_path: Path) -> None:
    rules = {"body_parts": [], "modalities": [], "views": []}
    made = prepared(tmp_path, dicom=rules, on_bad_film="skip").manifests["training"]
    assert (made.films, made.made.films_bad, made.made.films_skipped) == (9, 1, {})
    listed = (tmp_path / "sets" / "bad_films.csv").read_text()
    assert "cannot be decoded: 12 bits a sample, where 8 are read (transfer syntax JPEG Extended" in listed
