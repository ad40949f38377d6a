"""Every form in which a DICOM file stores the same pixels gives the same film."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSNearLossless,
    RLELossless,
)

from tests.dicom_files import ANY, LOSSLESS, NATIVE, code_of, dataset, file_of, written
from trainer.data.film.dicom import read_dicom
from trainer.data.film.dicom_rules import Unwanted
from trainer.data.film.images import Pixels
from trainer.errors import DataError


def ramp(kind: str, bits: int) -> npt.NDArray[Any]:
    """Stored values over all of their range: [40, 36]."""
    y, x = np.mgrid[:40, :36]
    low = -(1 << bits - 1) if kind.startswith("i") else 0
    return (low + (y * 36 + x) * ((1 << bits) - 1) // (40 * 36 - 1)).astype(kind)


def read(data: bytes) -> Pixels:
    film = read_dicom(data, name="film.dcm", rules=ANY)
    assert isinstance(film, np.ndarray)
    return film


def refusal(data: bytes) -> str:
    with pytest.raises(DataError) as error:
        read(data)
    return str(error.value)


def full_range(stored: npt.NDArray[Any], bits: int) -> Pixels:
    """What a window over all values of ``bits`` bits gives."""
    low = -(1 << bits - 1) if stored.dtype.kind == "i" else 0
    return np.rint((stored.astype(float) - low) / ((1 << bits) - 1) * 255).astype(np.uint8)


def full_window(kind: str, bits: int) -> dict[str, float]:
    return {"WindowCenter": 0 if kind.startswith("i") else 1 << bits - 1, "WindowWidth": 1 << bits}


@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS], ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(("kind", "bits"), [("u1", 8), ("u2", 10), ("u2", 12), ("u2", 16), ("i2", 12), ("i2", 16)])
def test_a_film_without_loss_is_the_same_in_every_transfer_syntax(syntax: str, kind: str, bits: int) -> None:
    stored = ramp(kind, bits)
    film = read(file_of(stored, syntax, bits=bits, **full_window(kind, bits)))
    np.testing.assert_array_equal(film, full_range(stored, bits))


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000, JPEGLSNearLossless], ids=lambda syntax: syntax.keyword)
def test_a_lossy_film_is_close(syntax: str) -> None:
    film = read(file_of(ramp("u1", 8), syntax, **full_window("u1", 8)))
    assert np.abs(film.astype(int) - ramp("u1", 8)).max() <= 4


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_what_stands_above_the_stored_bits_is_not_seen(syntax: str, kind: str) -> None:
    stored = ramp(kind, 12)
    dirt = np.random.default_rng(0).integers(0, 16, stored.shape).astype(np.uint16) << 12
    dirty = ((stored.view(np.uint16) & 0x0FFF) | dirt).view(kind)
    film = read(file_of(dirty, syntax, bits=12, **full_window(kind, 12)))
    np.testing.assert_array_equal(film, full_range(stored, 12))


def test_a_lossy_code_that_overshoots_the_stored_bits_stays_white() -> None:
    stored = ramp("u2", 12)
    stored[20:] = 4200
    code = code_of(stored, dataset(stored, bits=16), JPEG2000Lossless)
    film = read(written(dataset(stored, bits=12, **full_window("u2", 12)), encapsulate([code]), JPEG2000, "OB"))
    assert (film[20:] == 255).all()


def test_stored_bits_may_stand_above_others() -> None:
    stored = ramp("u2", 10)
    film = read(file_of(stored << 4 | 0xF, bits=10, HighBit=13, **full_window("u2", 10)))
    np.testing.assert_array_equal(film, full_range(stored, 10))


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda syntax: syntax.keyword)
def test_eight_stored_bits_in_sixteen_are_read(syntax: str) -> None:
    stored = ramp("u2", 8)
    film = read(file_of(stored, syntax, bits=8, **full_window("u2", 8)))
    np.testing.assert_array_equal(film, full_range(stored, 8))


def test_bytes_may_be_words_in_big_endian() -> None:
    stored = ramp("u1", 8)
    swapped = stored.reshape(-1).view(np.uint16).byteswap().tobytes()
    data = written(dataset(stored, **full_window("u1", 8)), swapped, ExplicitVRBigEndian, "OW")
    np.testing.assert_array_equal(read(data), stored)


def test_a_film_with_an_odd_number_of_bytes_is_read() -> None:
    stored = ramp("u1", 8)[:39, :35]
    np.testing.assert_array_equal(read(file_of(stored, **full_window("u1", 8))), stored)


def test_monochrome1_is_inverted() -> None:
    stored = ramp("u2", 12)
    film = read(file_of(stored, bits=12, PhotometricInterpretation="MONOCHROME1", **full_window("u2", 12)))
    np.testing.assert_array_equal(film, 255 - full_range(stored, 12))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(("kind", "value"), [("u2", 4000), ("i2", -2048)])
def test_padding_of_any_sign_is_black_in_monochrome1(syntax: str, kind: str, value: int) -> None:
    stored = ramp(kind, 12)
    stored[:4] = value
    film = read(file_of(stored, syntax, bits=12, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=value))
    assert not film[stored == value].any()
    inside = stored[stored != value].astype(float)
    expected = 255 - np.rint((inside - inside.min()) / (inside.max() - inside.min()) * 255)
    assert np.abs(film[stored != value] - expected).max() <= 1


def test_padding_written_with_the_other_sign_is_known() -> None:
    stored = ramp("i2", 16)
    stored[:4] = -2000
    made = dataset(stored, PhotometricInterpretation="MONOCHROME1")
    made.add_new("PixelPaddingValue", "US", 65536 - 2000)
    data = written(made, stored.tobytes(), ExplicitVRLittleEndian)
    assert not read(data)[stored == -2000].any()


def test_padding_may_be_a_range() -> None:
    stored = ramp("u2", 12)
    film = read(file_of(stored, bits=12, PixelPaddingValue=3000, PixelPaddingRangeLimit=4095))
    assert not film[stored >= 3000].any()
    assert film[stored < 3000].max() == 255


def test_the_first_of_several_windows_is_used() -> None:
    stored = ramp("u1", 8)
    film = read(file_of(stored, WindowCenter=[128, 50], WindowWidth=[256, 10]))
    np.testing.assert_array_equal(film, stored)


@pytest.mark.parametrize("width", [0, -5])
def test_a_window_without_a_width_is_none(width: int) -> None:
    film = read(file_of(ramp("u2", 12), bits=12, WindowCenter=0, WindowWidth=width))
    assert (film.min(), film.max()) == (0, 255)


def test_the_shape_of_the_window_is_heeded() -> None:
    films = {
        shape: read(file_of(ramp("u1", 8), WindowCenter=100, WindowWidth=50, VOILUTFunction=shape))
        for shape in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
    }
    stored = ramp("u1", 8).astype(float)
    np.testing.assert_array_equal(films["LINEAR"], np.rint(np.clip((stored - 99.5) / 49 + 0.5, 0, 1) * 255))
    np.testing.assert_array_equal(films["LINEAR_EXACT"], np.rint(np.clip((stored - 100) / 50 + 0.5, 0, 1) * 255))
    np.testing.assert_array_equal(films["SIGMOID"], np.rint(255 / (1 + np.exp(-4 * (stored - 100) / 50))))


def table(entries: list[int], first: int, bits: int, form: str, *, signed: bool = False) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if signed else "US", [len(entries), first, bits])
    if form == "packed":
        item.add_new("LUTData", "OW", bytes(entries) + bytes(len(entries) % 2))
    elif form == "OW":
        item.add_new("LUTData", "OW", np.array(entries, dtype="<u2").tobytes())
    else:
        item.add_new("LUTData", "US", entries)
    return item


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize(("bits", "form"), [(8, "packed"), (8, "US"), (12, "OW"), (16, "US"), (16, "OW")])
def test_a_voi_table_goes_before_a_window(syntax: str, bits: int, form: str) -> None:
    top = (1 << bits) - 1
    entries = [round(top * (place / 99) ** 2) for place in range(100)]
    stored = ramp("u1", 8)
    sequence = [table(entries, 50, bits, form)]
    film = read(file_of(stored, syntax, WindowCenter=10, WindowWidth=5, VOILUTSequence=sequence))
    expected = np.rint(np.array(entries)[np.clip(stored.astype(int) - 50, 0, 99)] / top * 255)
    np.testing.assert_array_equal(film, expected)


def test_a_voi_table_may_begin_below_zero() -> None:
    stored = ramp("i2", 8)
    sequence = [table(list(range(256)), -128, 8, "OW", signed=True)]
    film = read(file_of(stored, bits=8, VOILUTSequence=sequence))
    np.testing.assert_array_equal(film, stored + 128)


def test_a_modality_table_replaces_the_rescale() -> None:
    stored = ramp("u1", 8)
    falling = table(list(range(255, -1, -1)), 0, 8, "OW")
    film = read(file_of(stored, ModalityLUTSequence=[falling], **full_window("u1", 8)))
    np.testing.assert_array_equal(film, 255 - stored)


def test_the_window_is_in_rescaled_units() -> None:
    film = read(file_of(ramp("u1", 8), RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=-744.5, WindowWidth=511))
    np.testing.assert_array_equal(film, ramp("u1", 8))


def colours() -> npt.NDArray[np.uint8]:
    gray = ramp("u1", 8).astype(int)
    return np.stack([gray, 255 - gray, gray // 2], axis=-1).astype(np.uint8)


LUMA = np.asarray(Image.fromarray(colours()).convert("L"))


@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS], ids=lambda syntax: syntax.keyword)
def test_colours_become_luma(syntax: str) -> None:
    np.testing.assert_array_equal(read(file_of(colours(), syntax)), LUMA)


def test_colours_may_come_in_planes() -> None:
    made = dataset(colours(), PlanarConfiguration=1)
    data = written(made, np.moveaxis(colours(), -1, 0).tobytes(), ExplicitVRLittleEndian, "OB")
    np.testing.assert_array_equal(read(data), LUMA)


def test_the_luma_of_ybr_is_its_first_channel() -> None:
    film = read(file_of(colours(), PhotometricInterpretation="YBR_FULL"))
    np.testing.assert_array_equal(film, colours()[..., 0])


def test_ybr_full_422_is_read_as_stored_and_in_jpeg() -> None:
    luma = ramp("u1", 8)
    pairs = luma.reshape(-1, 2)
    packed = np.column_stack([pairs, np.full((len(pairs), 2), 128)]).astype(np.uint8)
    made = dataset(colours(), PhotometricInterpretation="YBR_FULL_422")
    np.testing.assert_array_equal(read(written(made, packed.tobytes(), ExplicitVRLittleEndian, "OB")), luma)
    film = read(file_of(colours(), JPEGBaseline8Bit, PhotometricInterpretation="YBR_FULL_422"))
    assert np.abs(film.astype(int) - LUMA).mean() < 2


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=lambda syntax: syntax.keyword)
def test_of_many_frames_the_rule_decides(syntax: str) -> None:
    stored = ramp("u1", 8)
    made = dataset(stored, NumberOfFrames=2, **full_window("u1", 8))
    if syntax == RLELossless:
        code = code_of(stored, dataset(stored), syntax)
        data = written(made, encapsulate([code, code]), syntax, "OB")
    else:
        data = written(made, stored.tobytes() + (255 - stored).tobytes(), syntax, "OB")
    first = read_dicom(data, name="film.dcm", rules=ANY.model_copy(update={"multi_frame": "first"}))
    np.testing.assert_array_equal(first, stored)
    skip = ANY.model_copy(update={"multi_frame": "skip"})
    assert read_dicom(data, name="film.dcm", rules=skip) is Unwanted.MULTI_FRAME
    assert "has 2 frames (prepare.dicom.multi_frame)" in refusal(data)


def test_a_frame_may_come_in_fragments() -> None:
    stored = ramp("u1", 8)
    code = code_of(stored, dataset(stored), JPEGBaseline8Bit)
    whole = file_of(stored, JPEGBaseline8Bit)
    parts = written(dataset(stored), encapsulate([code], fragments_per_frame=3), JPEGBaseline8Bit, "OB")
    np.testing.assert_array_equal(read(parts), read(whole))


@pytest.mark.skipif(not shutil.which("dcm2pnm"), reason="dcmtk is not installed")
@pytest.mark.parametrize(
    ("elements", "options"),
    [
        (full_window("u2", 12), ("+Wi", "1")),
        ({"WindowCenter": 1500, "WindowWidth": 900}, ("+Wi", "1")),
        ({"WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"}, ("+Wi", "1")),
        ({"WindowCenter": 500, "WindowWidth": 900, "RescaleSlope": 2, "RescaleIntercept": -1024}, ("+Wi", "1")),
        ({"VOILUTSequence": [table([n * n // 4095 for n in range(4096)], 0, 12, "OW")]}, ("+Wl", "1")),
        ({}, ("+Wm",)),
    ],
)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_dcmtk_shows_the_same_to_one_level(
    elements: dict[str, Any], options: tuple[str, ...], photometric: str, tmp_path: Path
) -> None:
    data = file_of(ramp("u2", 12), bits=12, **(elements | {"PhotometricInterpretation": photometric}))
    source, shown = tmp_path / "film.dcm", tmp_path / "film.pgm"
    source.write_bytes(data)
    subprocess.run(["dcm2pnm", *options, "--write-raw-pnm", source, shown], check=True, capture_output=True)
    with Image.open(shown) as theirs:
        assert np.abs(np.asarray(theirs).astype(int) - read(data)).max() <= 1
