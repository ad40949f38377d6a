"""The header of a DICOM file: what says what the film shows and how its pixels are stored, and nothing else."""

import io
import logging
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from trainer.data.film.images import bad_film
from trainer.errors import DataError, UsageError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Value = TypeVar("Value")

# Everything else in the file, whatever names a patient above all, is passed over unread.
ELEMENTS = (
    *("Modality", "ViewPosition", "ViewCodeSequence", "PatientPosition", "BodyPartExamined", "PresentationIntentType"),
    *("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PixelData"),
)
_FILE_META_START = 132
_FILE_META_GROUP = 0x0002
_DEFLATED = "1.2.840.10008.1.2.1.99"


class Header:
    """Typed access to the elements of a header or of an item in it; every error names the film, never a value."""

    def __init__(self, dataset: "Dataset", name: str, transfer_syntax: str) -> None:
        self._dataset = dataset
        self.name, self.transfer_syntax = name, transfer_syntax

    def has(self, keyword: str) -> bool:
        """Whether the element is there."""
        return keyword in self._dataset

    def text(self, keyword: str) -> str:
        """The (first) value without blanks around it, in capitals; absent: empty."""
        return " ".join(str(value).upper() for value in self._values(keyword)[:1]).strip()

    def number(self, keyword: str) -> float | None:
        """The (first) value. Raises DataError if it is no finite number."""
        values = self.numbers(keyword)
        return values[0] if values else None

    def numbers(self, keyword: str) -> list[float]:
        """All values. Raises DataError if one is no finite number."""
        try:
            numbers = [float(value) for value in self._values(keyword)]
        except (TypeError, ValueError):
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            raise bad_film(self.name, f"has a {keyword} that is no number")
        return numbers

    def integer(self, keyword: str, default: int | None = None) -> int:
        """The (first) value. Raises DataError if there is neither it nor a default, or if it is not whole."""
        number = self.number(keyword)
        if number is None and default is not None:
            return default
        if number is None or number != int(number):
            raise bad_film(self.name, f"has no {keyword}" if number is None else f"has a {keyword} that is not whole")
        return int(number)

    def content(self, keyword: str) -> bytes:
        """The bytes of a binary element, or those of its 16-bit words, little endian; absent: none."""
        value = self._read(keyword)
        if value is None or isinstance(value, bytes):
            return value or b""
        return b"".join(int(word).to_bytes(2, "little", signed=int(word) < 0) for word in self._values(keyword))

    def item(self, keyword: str) -> "Header | None":
        """The first item of a sequence."""
        for item in self._values(keyword):
            return Header(item, self.name, self.transfer_syntax)
        return None

    def vr(self, keyword: str) -> str:
        """The value representation the element was written with."""
        return str(self.guarded(lambda: self._dataset[keyword].VR, f"has a {keyword} that cannot be read"))

    def guarded(self, read: Callable[[], Value], rule: str) -> Value:
        """What ``read`` gives. Raises DataError with ``rule`` whatever it raises."""
        with _quiet(self.name, rule):
            return read()

    def _read(self, keyword: str) -> Any:
        return self.guarded(lambda: self._dataset.get(keyword), f"has a {keyword} that cannot be read")

    def _values(self, keyword: str) -> list[Any]:
        value = self._read(keyword)
        if value is None or value == "" or value == b"":
            return []
        return [value] if isinstance(value, str | bytes) or not hasattr(value, "__iter__") else list(value)


def read_header(data: bytes, name: str, elements: Sequence[str] = ELEMENTS) -> Header:
    """The elements of the file that are needed, its pixels still encoded; no other is looked at.

    Raises DataError if it is damaged or deflated, UsageError if pydicom is missing.
    """
    try:
        from pydicom import dcmread
        from pydicom.filereader import read_dataset
    except ImportError as error:
        rule, cure = "is DICOM, which needs pydicom", "install cxr-train with the extra dicom"
        raise UsageError("film", name, rule, cure) from error
    # Its log quotes what the header holds, as its warnings and errors do.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
    source = io.BytesIO(data)
    with _quiet(name, "has a damaged DICOM header"):
        source.seek(_FILE_META_START)
        meta = read_dataset(source, False, True, stop_when=lambda tag, *_: tag.group != _FILE_META_GROUP)
        transfer_syntax = str(meta.get("TransferSyntaxUID", ""))
    if transfer_syntax == _DEFLATED:
        raise bad_film(name, "cannot be decoded: the whole file is deflated (transfer syntax Deflated)")
    with _quiet(name, "has a damaged DICOM header"):
        source.seek(0)
        return Header(dcmread(source, specific_tags=list(elements)), name, transfer_syntax)


@contextmanager
def _quiet(name: str, rule: str) -> Iterator[None]:
    """Lets neither a warning nor an error of pydicom's out: they quote what the header holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DataError:
        raise
    except Exception:  # A damaged file makes pydicom raise nearly anything.
        raise bad_film(name, rule) from None
