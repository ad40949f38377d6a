"""Damaged and hostile DICOM files: each ends in one clear line, soon, in little memory, and never in a crash."""

import io
import random
import struct
import subprocess
import sys
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from tests.dicom_files import ALL, ANY, code_of, dataset, file_of, written
from trainer.data.film.dicom import read_dicom
from trainer.data.film.dicom_rules import Unwanted
from trainer.errors import DataError, UsageError

STORED = (np.add.outer(np.arange(48), np.arange(40)) * 40).astype(np.uint16)
BYTES = (STORED // 16).astype(np.uint8)
COLOURS = np.stack([BYTES] * 3, axis=-1)

FILES = [
    file_of(BYTES if syntax == JPEGBaseline8Bit else STORED, syntax, bits=8 if syntax == JPEGBaseline8Bit else 12)
    for syntax in ALL
]


def refusal(data: bytes) -> str:
    with pytest.raises(DataError) as error:
        read_dicom(data, name="film.dcm", rules=ANY)
    message = str(error.value)
    assert message.startswith("film: 'film.dcm' ")
    assert "\n" not in message
    return message


def refusal_of(**elements: Any) -> str:
    return refusal(file_of(STORED, bits=12, **elements))


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "indices into a palette (PALETTE COLOR)"),
        ({"PhotometricInterpretation": "HSV"}, "1 samples a pixel with another PhotometricInterpretation than is read"),
        ({"PhotometricInterpretation": None}, "another PhotometricInterpretation than is read"),
        ({"SamplesPerPixel": 4}, "4 samples a pixel"),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, "32 bits allocated a pixel"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "1 bits allocated a pixel"),
        ({"BitsStored": 17}, "claims 17 bits up to bit 11 of 16"),
        ({"BitsStored": 0}, "claims 0 bits"),
        ({"HighBit": 16}, "claims 12 bits up to bit 16 of 16"),
        ({"HighBit": 5}, "claims 12 bits up to bit 5 of 16"),
        ({"Rows": None}, "has no Rows"),
        ({"BitsStored": None}, "has no BitsStored"),
        ({"Rows": 65535, "Columns": 65535}, "claims 65535x65535 pixels"),
        ({"RescaleSlope": 0}, "has a RescaleSlope of 0"),
        ({"Rows": 50}, "its pixels are damaged"),
    ],
)
def test_a_header_that_cannot_be_is_refused_with_what_it_claims(elements: dict[str, Any], words: str) -> None:
    assert words in refusal_of(**elements)


def test_text_in_the_place_of_a_number_is_refused_without_being_quoted() -> None:
    made = dataset(STORED, bits=12)
    made.add_new("WindowCenter", "DS", "1234")
    data = written(made, STORED.tobytes(), ExplicitVRLittleEndian).replace(b"DS\x04\x001234", b"DS\x04\x00Do^J")
    assert refusal(data) == "film: 'film.dcm' has a WindowCenter that is no number; replace the file"


@pytest.mark.parametrize("number", ["nan", "inf", "1e999"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    data = file_of(STORED, bits=12, RescaleSlope="12345678").replace(b"12345678", number.ljust(8).encode())
    assert "has a RescaleSlope that is no number" in refusal(data)


@pytest.mark.parametrize("count", [0, 100])
def test_a_table_without_its_entries_is_refused(count: int) -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item.add_new("LUTData", "OW", bytes(count))
    assert f"has a VOILUTSequence of 4096 entries with data for {count}" in refusal_of(VOILUTSequence=[item])


def test_a_table_without_a_descriptor_is_refused() -> None:
    item = Dataset()
    item.add_new("LUTData", "OW", bytes(100))
    assert "has a ModalityLUTSequence without a sound LUTDescriptor" in refusal_of(ModalityLUTSequence=[item])


@pytest.mark.parametrize("data", FILES, ids=[syntax.keyword for syntax in ALL])
def test_a_file_cut_off_anywhere_is_bad_and_never_unwanted_or_shown(data: bytes) -> None:
    for end in range(132, len(data) - 2, 53):
        refusal(data[:end])


def test_a_file_without_pixels_is_bad() -> None:
    made = dataset(STORED)
    assert "has no pixels" in refusal(
        written(made, b"", ExplicitVRLittleEndian).replace(b"\xe0\x7f\x10\x00OW", b"\xe0\x7f\x11\x00OW")
    )


def test_an_inflated_bomb_is_not_inflated() -> None:
    bomb = zlib.compressobj(wbits=-15)
    deflated = bomb.compress(bytes(200 * 2**20)) + bomb.flush()
    shell = written(dataset(STORED), b"", DeflatedExplicitVRLittleEndian)
    meta_end = 132 + 12 + struct.unpack("<I", shell[140:144])[0]
    assert "the whole file is deflated" in in_little_memory(shell[:meta_end] + deflated)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, RLELossless])
def test_no_memory_is_taken_for_pixels_that_are_only_claimed(syntax: str) -> None:
    stored = BYTES if syntax == JPEGBaseline8Bit else STORED
    code = code_of(stored, dataset(stored), syntax)
    claimed = dataset(stored, Rows=65535, Columns=65535)
    assert "claims 65535x65535 pixels" in in_little_memory(written(claimed, encapsulate([code]), syntax, "OB"))


def test_runs_without_end_are_not_decoded() -> None:
    runs = bytes([0x81, 0]) * 4 * 2**20
    header = struct.pack("<16I", 2, 64, 64 + len(runs), *[0] * 13)
    data = written(dataset(STORED), encapsulate([header + runs + runs]), RLELossless, "OB")
    tracemalloc.start()
    try:
        refusal(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_a_code_of_another_size_than_the_headers_is_not_decoded(syntax: str) -> None:
    stored = np.zeros((1100, 1000), dtype=np.uint8)
    code = code_of(stored, dataset(stored), syntax)
    data = written(dataset(BYTES), encapsulate([code]), syntax, "OB")
    assert "the header claims 40x48x1 samples, the code 1000x1100x1" in in_little_memory(data)


def in_little_memory(data: bytes) -> str:
    refusal(FILES[0][:200])  # Imports.
    tracemalloc.start()
    try:
        message = refusal(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    return message


def test_twelve_bits_of_jpeg_extended_are_refused_by_name() -> None:
    code = bytearray(code_of(BYTES, dataset(BYTES), JPEGBaseline8Bit))
    start = code.index(b"\xff\xc0")
    code[start + 1], code[start + 4] = 0xC1, 12
    data = written(dataset(STORED, bits=12), encapsulate([bytes(code)]), JPEGExtended12Bit, "OB")
    assert "12 bits a sample, where 8 are read (transfer syntax JPEG Extended (Process 2 and 4))" in refusal(data)


@pytest.mark.parametrize(
    ("syntax", "named"), [("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile"), ("1.2.3.4.5", "transfer syntax unknown")]
)
def test_a_transfer_syntax_that_is_not_read_is_named_if_the_standard_knows_it(syntax: str, named: str) -> None:
    message = refusal(written(dataset(STORED), encapsulate([b"\x00\x01" * 50]), syntax, "OB"))
    assert "there is no decoder for it" in message
    assert named in message


@pytest.mark.parametrize("depth", [10, 3000])
def test_sequences_of_undefined_length_may_be_deep(depth: int) -> None:
    begin = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    data = file_of(STORED, bits=12)
    at = data.index(struct.pack("<HH2s", 0x0018, 0x0015, b"CS"))
    nested = data[:at] + begin * depth + end * depth + data[at:]
    if depth < 100:
        assert isinstance(read_dicom(nested, name="film.dcm", rules=ANY), np.ndarray)
    else:
        assert "has a damaged DICOM header" in refusal(nested)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_an_element_longer_than_the_file_is_refused(syntax: str) -> None:
    data = bytearray(file_of(STORED, syntax, bits=12))
    at = len(data) - STORED.nbytes - 4
    data[at : at + 4] = struct.pack(">I" if syntax == ExplicitVRBigEndian else "<I", 0x7FFFFFF0)
    data = data[:-1000]
    assert "its pixels are damaged" in refusal(bytes(data))


CODES = [
    (syntax, code_of(stored, dataset(stored, bits=bits), syntax))
    for syntax, stored, bits in (
        (JPEGBaseline8Bit, BYTES, 8),
        (JPEGBaseline8Bit, COLOURS, 8),
        *((syntax, COLOURS, 8) for syntax in (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)),
        *((syntax, BYTES, 8) for syntax in (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)),
        *((syntax, STORED, 12) for syntax in (RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)),
        *((syntax, STORED.astype(np.int16), 16) for syntax in (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)),
    )
]
"""Compressed frames, and what they are compressed with."""

HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "BitsAllocated": st.sampled_from((8, 16)),
        "BitsStored": st.integers(1, 16),
        "HighBit": st.integers(0, 15),
        "PixelRepresentation": st.integers(0, 2),
        "SamplesPerPixel": st.sampled_from((1, 3)),
        "PlanarConfiguration": st.integers(0, 2),
        "PhotometricInterpretation": st.sampled_from(("MONOCHROME1", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT")),
        "NumberOfFrames": st.integers(-1, 3),
        "PixelPaddingValue": st.integers(0, 32767),
        "WindowWidth": st.integers(0, 5),
    },
)


@settings(max_examples=400)
@given(coded=st.sampled_from(CODES), elements=HEADERS, lossy=st.booleans())
def test_a_header_may_claim_anything_of_a_sound_code(
    coded: tuple[str, bytes], elements: dict[str, Any], lossy: bool
) -> None:
    syntax, code = coded
    bits = elements.get("BitsStored", 12)
    given = {"HighBit": bits - 1, "BitsAllocated": 8 if bits <= 8 else 16} | elements
    as_lossy = {JPEG2000Lossless: JPEG2000, JPEGLSLossless: JPEGLSNearLossless}.get(syntax, syntax)
    made = dataset(STORED, bits=bits, **given)
    data = written(made, encapsulate([code]), as_lossy if lossy else syntax, "OB")
    try:
        film = read_dicom(data, name="film.dcm", rules=ANY.model_copy(update={"multi_frame": "first"}))
    except DataError:
        return
    assert isinstance(film, np.ndarray)
    assert (film.shape, film.dtype) == (STORED.shape, np.uint8)


@settings(max_examples=150)
@given(file=st.sampled_from(FILES), seed=st.integers(0, 2**32), flips=st.integers(1, 16), head=st.booleans())
def test_bytes_may_be_anything(file: bytes, seed: int, flips: int, head: bool) -> None:
    damaged, drawn = bytearray(file), random.Random(seed)
    for _ in range(flips):
        place = drawn.randrange(132, min(len(file), 900) if head else len(file))
        damaged[place] = drawn.choice((0, 0x7F, 0x80, 0xFF, drawn.randrange(256)))
    try:
        film = read_dicom(bytes(damaged), name="film.dcm", rules=ANY)
    except DataError:
        return
    assert isinstance(film, Unwanted) or film.dtype == np.uint8


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1], ids=["JPEGLosslessSV1"])
def test_no_damage_to_a_lossless_jpegs_header_reaches_gdcm(syntax: str) -> None:
    """Gdcm ends the process where a table is missing, so every byte of the header is tried."""
    code = code_of(STORED, dataset(STORED, bits=12), syntax)
    scan = code.index(b"\xff\xda") + 10
    for place in range(scan):
        for value in {0, 1, 0xC4, 0xFF, code[place] ^ 0x10, code[place] ^ 1} - {code[place]}:
            damaged = code[:place] + bytes([value]) + code[place + 1 :]
            data = written(dataset(STORED, bits=12), encapsulate([damaged]), syntax, "OB")
            try:
                read_dicom(data, name="film.dcm", rules=ANY)
            except DataError:
                continue


def test_without_the_extra_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(UsageError) as error:
        read_dicom(FILES[0], name="film.dcm", rules=ANY)
    assert str(error.value) == (
        "film: 'film.dcm' is DICOM, which needs pydicom; install cxr-train with the extra dicom"
    )


def test_pydicom_is_imported_with_the_first_dicom_film_alone() -> None:
    code = "import sys, trainer.data.prepare.decoding; sys.exit('pydicom' in sys.modules or 'gdcm' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bytes_after_the_pixels_do_no_harm() -> None:
    data = file_of(STORED, bits=12, WindowCenter=2048, WindowWidth=4096)
    trailing = io.BytesIO(data).getvalue() + struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 10) + bytes(10)
    assert isinstance(read_dicom(trailing, name="film.dcm", rules=ANY), np.ndarray)
