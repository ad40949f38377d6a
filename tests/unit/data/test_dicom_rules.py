"""Which DICOM films are taken, rule by rule; the headers are those of real devices, archives and data sets."""

from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.dicom_files import file_of
from trainer.config import DicomConfig
from trainer.data.film.dicom import read_dicom
from trainer.data.film.dicom_rules import Unwanted

DEFAULTS = DicomConfig()
STORED = np.arange(128 * 130, dtype=np.uint16).reshape(130, 128)


def rule_for(rules: DicomConfig = DEFAULTS, stored: Any = STORED, **elements: Any) -> Unwanted | None:
    film = read_dicom(file_of(stored, **elements), name="film.dcm", rules=rules)
    return film if isinstance(film, Unwanted) else None


def with_rules(**settings: Any) -> DicomConfig:
    return DicomConfig.model_validate(settings)


def view_code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue = value
    return [item]


@pytest.mark.parametrize("modality", ["CR", "DX", "dx "])
def test_plain_films_are_taken(modality: str) -> None:
    assert rule_for(Modality=modality) is None


@pytest.mark.parametrize("modality", ["CT", "MG", "OT", "SR", ""])
def test_other_modalities_are_not(modality: str) -> None:
    assert rule_for(Modality=modality) is Unwanted.MODALITY


def test_another_modality_may_be_asked_for() -> None:
    assert rule_for(with_rules(modalities=["OT"]), Modality="OT") is None
    assert rule_for(with_rules(modalities=[]), Modality="CT") is None


@pytest.mark.parametrize("body_part", ["CHEST", "chest", "THORAX", "PORT CHEST", "", None])
def test_chests_are_taken_and_films_that_do_not_say(body_part: str | None) -> None:
    assert rule_for(BodyPartExamined=body_part) is None


@pytest.mark.parametrize("body_part", ["RIBCAGE", "ABDOMEN", "RIB", "TSPINE", "SHOULDER", "CHESTABDOMEN", "HAND"])
def test_other_body_parts_are_not(body_part: str) -> None:
    assert rule_for(BodyPartExamined=body_part) is Unwanted.BODY_PART


def test_films_that_do_not_say_may_be_left_out() -> None:
    assert rule_for(with_rules(unknown_body_part="skip"), BodyPartExamined="") is Unwanted.BODY_PART
    assert rule_for(with_rules(unknown_view="skip"), ViewPosition="") is Unwanted.VIEW


@pytest.mark.parametrize("view", ["AP", "PA", "pa", "", None])
def test_frontal_views_are_taken_and_films_that_do_not_say(view: str | None) -> None:
    assert rule_for(ViewPosition=view) is None


@pytest.mark.parametrize("view", ["LL", "RL", "LATERAL", "LAO", "RPO", "AP AXIAL", "LLD", "SWIMMERS"])
def test_lateral_and_other_views_are_not(view: str) -> None:
    assert rule_for(ViewPosition=view) is Unwanted.VIEW


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("R-10206", None),
        ("272479007", None),
        ("R-10236", Unwanted.VIEW),
        ("399198007", Unwanted.VIEW),
        ("", None),
    ],
)
def test_a_blank_view_is_looked_up_by_its_code(code: str, rule: Unwanted | None) -> None:
    assert rule_for(ViewPosition="", ViewCodeSequence=view_code(code)) is rule


@pytest.mark.parametrize(
    ("position", "rule"), [("PA", None), ("AP", None), ("HFS", None), ("FFDL", None), ("", None), ("XX", Unwanted.VIEW)]
)
def test_a_view_may_stand_in_the_patients_position(position: str, rule: Unwanted | None) -> None:
    assert rule_for(ViewPosition="", PatientPosition=position) is rule


def test_raw_films_for_processing_are_not_taken_unless_asked_for() -> None:
    raw, shown = "FOR PROCESSING", "FOR PRESENTATION"
    assert rule_for(PresentationIntentType=raw) is Unwanted.FOR_PROCESSING
    assert rule_for(with_rules(for_processing="keep"), PresentationIntentType=raw) is None
    assert rule_for(PresentationIntentType=shown) is None


def test_small_pictures_are_not_taken() -> None:
    assert rule_for(stored=STORED[:, :127].copy()) is Unwanted.SIZE
    assert rule_for(with_rules(minimum_side=127), stored=STORED[:, :127].copy()) is None


def test_a_film_that_is_left_out_needs_no_sound_pixels() -> None:
    assert rule_for(Modality="CT", BitsAllocated=64) is Unwanted.MODALITY
    assert rule_for(ViewPosition="LL", PhotometricInterpretation="PALETTE COLOR") is Unwanted.VIEW
