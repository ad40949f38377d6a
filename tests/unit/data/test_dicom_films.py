"""Real DICOM films: each is decoded as it is meant to be seen, left out by its rule, or refused with a clear word."""

import os
from pathlib import Path

import numpy as np
import pytest

from trainer.config import DicomConfig
from trainer.data.film.dicom import is_dicom, read_dicom
from trainer.data.film.dicom_rules import Unwanted
from trainer.data.film.images import Pixels
from trainer.errors import DataError

FILMS = Path(os.environ.get("CXR_TRAIN_TEST_FILMS", Path(__file__).parents[4] / "shared" / "data")) / "dicom"
DEFAULTS = DicomConfig()
ANY = DicomConfig(modalities=(), views=(), body_parts=())

pytestmark = pytest.mark.skipif(not FILMS.is_dir(), reason=f"{FILMS} has no DICOM films")


def read(name: str, rules: DicomConfig = DEFAULTS) -> Pixels | Unwanted:
    return read_dicom((FILMS / name).read_bytes(), name=name, rules=rules)


@pytest.mark.parametrize(
    ("name", "shape", "mean", "quartiles"),
    [
        ("cr_jpeg_baseline.dcm", (1024, 1024), 93.9, (53, 82, 130)),
        ("cr_monochrome1_10bit.dcm", (440, 440), 139.4, (107, 139, 170)),
        ("cr_monochrome1_15bit_jpeg2000.dcm", (1955, 1841), 192.2, (166, 207, 223)),
        ("dx_ybr_full_422.dcm", (2421, 1296), 72.9, (11, 34, 141)),
        ("nih_dx_test1.dcm", (1024, 1024), 182.2, (153, 194, 221)),
        ("nih_dx_test2.dcm", (1024, 1024), 128.1, (69, 134, 185)),
    ],
)
def test_a_film_has_its_known_grays(
    name: str, shape: tuple[int, int], mean: float, quartiles: tuple[int, int, int]
) -> None:
    film = read(name)
    assert isinstance(film, np.ndarray)
    assert (film.shape, film.dtype) == (shape, np.uint8)
    assert film.mean() == pytest.approx(mean, abs=0.5)
    np.testing.assert_allclose(np.percentile(film, (25, 50, 75)), quartiles, atol=1)


@pytest.mark.parametrize(
    "name", ["cr_monochrome1_10bit.dcm", "cr_monochrome1_15bit_jpeg2000.dcm", "nih_dx_test1.dcm", "nih_dx_test2.dcm"]
)
def test_lungs_are_dark_beside_a_bright_spine_and_the_heart_is_on_the_right_of_the_film(name: str) -> None:
    film = read(name)
    assert isinstance(film, np.ndarray)
    height, width = film.shape
    middle = film[height // 3 : height * 2 // 3]
    spine = np.median(middle[:, width * 45 // 100 : width * 55 // 100])
    lungs = [np.median(middle[:, width * left // 100 : width * (left + 15) // 100]) for left in (20, 65)]
    assert max(lungs) < spine
    # The patient's left, where the heart is, is at the right of a frontal film; below it is the brighter side.
    low = film[height * 55 // 100 : height * 65 // 100]
    assert low[:, width // 2 : width * 2 // 3].mean() > low[:, width // 3 : width // 2].mean()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("nih_dx_test4.dcm", Unwanted.BODY_PART),
        ("nih_dx_test5.dcm", Unwanted.MODALITY),
        ("nih_dx_test6.dcm", Unwanted.VIEW),
        ("cr_jpeg_extended_12bit_undecodable.dcm", Unwanted.BODY_PART),
    ],
)
def test_what_is_no_frontal_chest_film_is_left_out_by_its_rule(name: str, rule: Unwanted) -> None:
    assert read(name) is rule


def test_a_film_that_no_decoder_reads_is_refused_with_its_transfer_syntax() -> None:
    name = "cr_jpeg_extended_12bit_undecodable.dcm"
    with pytest.raises(DataError) as error:
        read(name, ANY)
    assert str(error.value) == (
        f"film: '{name}' cannot be decoded: 12 bits a sample, where 8 are read "
        "(transfer syntax JPEG Extended (Process 2 and 4)); replace the file"
    )


def test_every_film_is_known_as_dicom() -> None:
    assert all(is_dicom(path.read_bytes()) for path in FILMS.iterdir())
    assert not is_dicom(b"\xff\xd8\xff" * 100)
