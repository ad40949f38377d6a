"""A film from a DICOM file: taken or left out by rule, decoded, and shown as its header wants it shown."""

from trainer.config import DicomConfig
from trainer.data.film.dicom_frame import describe
from trainer.data.film.dicom_gray import to_gray
from trainer.data.film.dicom_header import read_header
from trainer.data.film.dicom_look import look_of
from trainer.data.film.dicom_pixels import decode_frame
from trainer.data.film.dicom_rules import Unwanted, unwanted
from trainer.data.film.images import Pixels

_MAGIC, _MAGIC_START = b"DICM", 128


def is_dicom(data: bytes) -> bool:
    """Whether these are the bytes of a DICOM file: PS3.10, section 7.1."""
    return data[_MAGIC_START : _MAGIC_START + len(_MAGIC)] == _MAGIC


def read_dicom(data: bytes, *, name: str, rules: DicomConfig) -> Pixels | Unwanted:
    """The gray film in a DICOM file: uint8 [height, width]; or the rule by which it is left out.

    Stored values pass the modality LUT (or rescale), the VOI LUT, else the first window, else the range of the
    pixels; MONOCHROME1 is inverted, padding is black: PS3.3, C.7.6.3 and C.11. Colour becomes luma (ITU-R 601-2).

    Raises:
        DataError: the film cannot be decoded. It names the film; of the header at most numbers, never a text.
        UsageError: the extra ``dicom`` is not installed.
    """
    header = read_header(data, name)
    rule = unwanted(header, rules)
    if rule is not None:
        return rule
    frame = describe(header, rules)
    stored = decode_frame(header, frame)
    return stored if frame.is_colour else to_gray(stored, frame.bits, frame.signed, look_of(header, frame))
