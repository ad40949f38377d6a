"""Who the patient is stays in the DICOM header: it is in nothing that is written, told or logged."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.datadict import DicomDictionary
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.dicom_files import dataset, file_of, written
from trainer.data.film.dicom_header import ELEMENTS

SECRET = "ZQX^SECRETJANE"
TEXT = {"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "UI"}
STORED = np.arange(140 * 150, dtype=np.uint16).reshape(150, 140)

pytestmark = pytest.mark.filterwarnings("ignore:::pydicom")


def everywhere() -> Dataset:
    """A sound film whose header has the secret in every text that the standard knows, and in what it does not."""
    made = dataset(STORED)
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        if vr in TEXT and keyword not in ELEMENTS and tag >> 16 > 0x0004 and tag != 0x00080005:
            made.add_new(tag, vr, SECRET)
    private = made.private_block(0x0009, SECRET, create=True)
    private.add_new(0x01, "LO", SECRET)
    private.add_new(0x02, "UN", SECRET.encode())
    nested = Dataset()
    nested.PatientName = SECRET
    nested.OtherPatientNames = SECRET
    made.OtherPatientIDsSequence = [nested]
    made["OtherPatientIDsSequence"].is_undefined_length = True
    return made


def films() -> Iterator[tuple[str, bytes]]:
    """By name: a sound film in two encodings, and films with the secret where a rule, a number or a form should be."""
    yield "sound_explicit.dcm", written(everywhere(), STORED.tobytes(), ExplicitVRLittleEndian)
    yield "sound_implicit.dcm", written(everywhere(), STORED.tobytes(), ImplicitVRLittleEndian)
    for keyword in (
        *("Modality", "ViewPosition", "BodyPartExamined", "PatientPosition", "PresentationIntentType"),
        *("PhotometricInterpretation", "VOILUTFunction"),
    ):
        yield f"text_{keyword}.dcm", file_of(STORED, **{keyword: SECRET})
    for keyword in ("NumberOfFrames", "WindowCenter", "RescaleSlope"):
        sound = file_of(STORED, WindowWidth=100, **{keyword: "1" * len(SECRET)})
        yield f"number_{keyword}.dcm", sound.replace(b"1" * len(SECRET), SECRET.encode())
    sound = written(everywhere(), STORED.tobytes(), ExplicitVRLittleEndian)
    yield "cut_off.dcm", sound[: len(sound) - STORED.nbytes // 2]
    yield "cut_off_in_the_header.dcm", sound[: sound.index(b"MONOCHROME2")]
    syntax = b"UI\x14\x001.2.840.10008.1.2.1\x00"
    assert syntax in sound
    yield "syntax.dcm", sound.replace(syntax, b"UI\x14\x00" + SECRET.ljust(20).encode())
    yield "shifted.dcm", sound.replace(b"US\x02\x00", b"US\x03\x00", 3)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    rows = ["film,patient,findings"]
    for number, (name, data) in enumerate(films()):
        (folder / name).write_bytes(data)
        rows.append(f"{name},{number},Mass")
        assert SECRET.encode() in data
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


def prepare(source: Path, into: Path, *settings: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own, as a user runs it: all that it says is heard, warnings and log too."""
    assignments = (
        *(f"prepare.source={source}", f"prepare.table={source}/table.csv", f"prepare.destination={into}"),
        *("prepare.catalog=csv", "prepare.columns.findings=findings", "prepare.split=patient"),
        *("prepare.validation_fraction=0", "prepare.test_fraction=0", "prepare.processes=1", *settings),
    )
    command = [sys.executable, "-W", "always", "-m", "trainer.cli", "prepare", "--debug"]
    return subprocess.run(
        [*command, *(part for each in assignments for part in ("--set", each))], capture_output=True, check=False
    )


def test_nothing_that_names_a_patient_is_written_or_told(source: Path, tmp_path: Path) -> None:
    done = prepare(source, tmp_path, "prepare.on_bad_film=skip", "prepare.encoding=png")
    assert done.returncode == 0, done.stderr.decode()
    assert_untold(done.stdout + done.stderr)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    left_out = (tmp_path / "bad_films.csv").read_text()
    assert "sound" not in left_out
    assert left_out.count("\n") > 8
    for path in files:
        assert_untold(path.read_bytes())


@pytest.mark.parametrize(
    "name", ["number_WindowCenter.dcm", "syntax.dcm", "cut_off.dcm", "text_PhotometricInterpretation.dcm"]
)
def test_the_error_of_a_bad_film_names_the_file_alone_even_with_its_traceback(
    name: str, source: Path, tmp_path: Path
) -> None:
    one = tmp_path / "one"
    one.mkdir()
    (one / name).write_bytes((source / name).read_bytes())
    (one / "table.csv").write_text(f"film,patient,findings\n{name},1,Mass")
    done = prepare(one, tmp_path / "sets")
    assert done.returncode == 3
    assert name.encode() in done.stderr
    assert_untold(done.stdout + done.stderr)


def assert_untold(data: bytes) -> None:
    for part in (b"ZQX", b"SECRET", b"JANE"):
        assert part not in data.upper()
