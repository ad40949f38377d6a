"""What the compressed pixels in a DICOM file say of themselves, looked at before a decoder allocates anything."""

from typing import NamedTuple

from trainer.data.film.images import bad_film

_JPEG_START, _JPEG_2000_START = b"\xff\xd8", b"\xff\x4f\xff\x51"
# ITU-T T.81, table B.1: SOF0 to SOF15 without DHT, JPG and DAC; ITU-T T.87: SOF55, of JPEG-LS.
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})


class Code(NamedTuple):
    """The size of the image in a codestream, the bits of a sample, and whether they have a sign."""

    height: int
    width: int
    samples: int
    bits: int
    signed: bool = False


def require_code(code: bytes, claimed: Code, least_bits: int, name: str, where: str) -> Code:
    """What the codestream says of itself.

    Raises DataError unless that is an image of the claimed size, of ``least_bits`` to ``claimed.bits`` a sample.
    """
    found = read_code(code)
    if found is None:
        raise bad_film(name, f"cannot be decoded: its pixels are no such code {where}")
    if not least_bits <= found.bits <= claimed.bits:
        read = f"{least_bits} to {claimed.bits}" if least_bits < claimed.bits else f"{claimed.bits}"
        raise bad_film(name, f"cannot be decoded: {found.bits} bits a sample, where {read} are read {where}")
    if found[:3] != claimed[:3]:
        sizes = [f"{each.width}x{each.height}x{each.samples}" for each in (claimed, found)]
        raise bad_film(name, f"cannot be decoded: the header claims {sizes[0]} samples, the code {sizes[1]} {where}")
    return found


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
    samples, depth = int.from_bytes(segment[36:38]), segment[38]
    return Code(bottom - top, right - left, samples, bits=(depth & 0x7F) + 1, signed=depth >= 0x80)
