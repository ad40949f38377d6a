"""A film's pixels from the bytes of its file, whichever kind it is."""

from trainer.config import DicomConfig
from trainer.data.film.dicom import is_dicom, read_dicom
from trainer.data.film.dicom_rules import Unwanted
from trainer.data.film.images import LARGEST_BYTES, Pixels, bad_film, decode


def read_film(content: bytes, *, name: str, minimum_side: int, rules: DicomConfig) -> Pixels | Unwanted:
    """The gray film in a PNG, JPEG or DICOM file, uint8 [height, width]; or the rule by which it is left out.

    Raises DataError that names the film, as ``decode`` and ``read_dicom`` do; ``minimum_side`` is of PNG and JPEG.
    """
    if len(content) > LARGEST_BYTES:
        raise bad_film(name, f"is a file of more than {LARGEST_BYTES} bytes")
    if is_dicom(content):
        return read_dicom(content, name=name, rules=rules)
    return decode(content, name=name, minimum_side=minimum_side)
