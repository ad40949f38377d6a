"""What the compressed pixels in a DICOM file say of themselves, looked at before a decoder allocates anything."""

from typing import NamedTuple

from trainer.data.film.images import bad_film

_JPEG_START, _JPEG_2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
# ITU-T T.81, table B.1: SOF0 to SOF15 without DHT, JPG and DAC; ITU-T T.87: SOF55, of JPEG-LS.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


class Code(NamedTuple):
    """The size of the image in a codestream, and the bits of a sample."""

    height: int
    width: int
    samples: int
    bits: int


def refuse_mismatch(code: bytes, claimed: Code, name: str, where: str) -> None:
    """Raises DataError unless the codestream holds an image of the claimed size, in as many bits or fewer."""
    found = read_code(code)
    if found is None:
        raise bad_film(name, f"cannot be decoded: its pixels are no such code {where}")
    if found.bits > claimed.bits:
        raise bad_film(name, f"cannot be decoded: {found.bits} bits a sample, where {claimed.bits} are read {where}")
    if found[:3] != claimed[:3]:
        sizes = [f"{each.width}x{each.height}x{each.samples}" for each in (claimed, found)]
        raise bad_film(name, f"cannot be decoded: the header claims {sizes[0]} samples, the code {sizes[1]} {where}")


def read_code(code: bytes) -> Code | None:
    """The size in a JPEG, JPEG-LS or JPEG 2000 codestream; none: it is none of them, or is cut off before it."""
    if code.startswith(_JPEG_START):
        return _read_jpeg(code)
    start = code.find(_JPEG_2000_START)
    return None if start < 0 else _read_jpeg_2000(code[start + 4 :])


def _read_jpeg(code: bytes) -> Code | None:
    at = 2
    while at + 10 <= len(code) and code[at] == 0xFF:
        marker, length = code[at + 1], int.from_bytes(code[at + 2 : at + 4])
        if marker in _FRAME_MARKERS:
            height, width = (int.from_bytes(code[start : start + 2]) for start in (at + 5, at + 7))
            return Code(height, width, samples=code[at + 9], bits=code[at + 4])
        # A marker may be led by any number of fill bytes.
        at += 1 if marker == 0xFF else 2 + length
    return None


def _read_jpeg_2000(segment: bytes) -> Code | None:
    """Of the SIZ segment behind its marker: ITU-T T.800, A.5.1."""
    if len(segment) < 39:
        return None
    right, bottom, left, top = (int.from_bytes(segment[start : start + 4]) for start in (4, 8, 12, 16))
    return Code(bottom - top, right - left, int.from_bytes(segment[36:38]), (segment[38] & 0x7F) + 1)
