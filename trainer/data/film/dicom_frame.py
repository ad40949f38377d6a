"""The stored values of one DICOM frame: native, RLE, JPEG, lossless JPEG, JPEG-LS or JPEG 2000."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.config import DicomConfig
from trainer.data.film.codestream import Code, refuse_mismatch
from trainer.data.film.dicom_gray import value_range
from trainer.data.film.dicom_header import Header
from trainer.data.film.images import LARGEST_PIXELS, bad_film, decode
from trainer.data.film.jpeg_lossless import is_sound_lossless

Stored = npt.NDArray[Any]
"""Integers [height, width] within the stored bits."""

_GRAY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_UID = "1.2.840.10008.1.2"
_NATIVE = (_UID, f"{_UID}.1", f"{_UID}.2")
_JPEG_8_BIT = (f"{_UID}.4.50", f"{_UID}.4.51")
_JPEG_LOSSLESS = (f"{_UID}.4.57", f"{_UID}.4.70")
_RLE = f"{_UID}.5"
_LOSSY = (f"{_UID}.4.81", f"{_UID}.4.91")
# One decoder each, so that the pixels do not depend on what else is installed.
_DECODER = {
    **dict.fromkeys(_JPEG_LOSSLESS, "gdcm"),
    f"{_UID}.4.80": "gdcm",
    f"{_UID}.4.81": "gdcm",
    f"{_UID}.4.90": "pylibjpeg",
    f"{_UID}.4.91": "pylibjpeg",
    _RLE: "pydicom",
}


class Frame(NamedTuple):
    """How one frame's pixels are stored: the Image Pixel module, PS3.3 C.7.6.3."""

    height: int
    width: int
    samples: int
    photometric: str
    planar: int
    allocated: int
    bits: int
    high_bit: int
    signed: bool
    frames: int

    @property
    def is_colour(self) -> bool:
        """Whether the film comes in colours, however gray they are."""
        return self.samples == 3


def describe(header: Header, rules: DicomConfig) -> Frame:
    """What the header says of the frame. Raises DataError if it cannot be, or is more than is read."""
    bits = header.integer("BitsStored")
    frame = Frame(
        height=header.integer("Rows"),
        width=header.integer("Columns"),
        samples=header.integer("SamplesPerPixel", 1),
        photometric=header.text("PhotometricInterpretation"),
        planar=header.integer("PlanarConfiguration", 0),
        allocated=header.integer("BitsAllocated"),
        bits=bits,
        high_bit=header.integer("HighBit", bits - 1),
        signed=header.integer("PixelRepresentation", 0) == 1,
        frames=max(1, header.integer("NumberOfFrames", 1)),
    )
    fault = _fault_in(frame, rules)
    if fault:
        raise bad_film(header.name, fault)
    return frame


def _fault_in(frame: Frame, rules: DicomConfig) -> str:
    """What is wrong with the description; nothing: empty."""
    if frame.frames > 1 and rules.multi_frame == "error":
        return f"has {frame.frames} frames (prepare.dicom.multi_frame)"
    if min(frame.height, frame.width) < 1 or frame.height * frame.width > LARGEST_PIXELS:
        return f"claims {frame.width}x{frame.height} pixels, not 1 to {LARGEST_PIXELS}"
    if frame.photometric == "PALETTE COLOR":
        return "cannot be decoded: its pixels are indices into a palette (PALETTE COLOR)"
    if frame.photometric not in (_COLOUR if frame.is_colour else _GRAY) or frame.samples not in (1, 3):
        return f"cannot be decoded: {frame.samples} samples a pixel with another PhotometricInterpretation than is read"
    if frame.allocated not in ((8,) if frame.is_colour else (8, 16)):
        return f"cannot be decoded: {frame.allocated} bits allocated a {'colour' if frame.is_colour else 'pixel'}"
    if not 1 <= frame.bits <= frame.high_bit + 1 <= frame.allocated:
        return f"claims {frame.bits} bits up to bit {frame.high_bit} of {frame.allocated}"
    return ""


def decode_frame(header: Header, frame: Frame) -> Stored:
    """The (first) frame: the stored values [height, width], or, of a film in colours, its luma, uint8.

    Raises DataError if the pixels are missing, truncated, damaged, of another size than claimed, or in a form that is
    not read.
    """
    where = f"(transfer syntax {_syntax_name(header)})"
    damaged = f"cannot be decoded: its pixels are damaged {where}"
    syntax = header.transfer_syntax
    if syntax in _NATIVE:
        return header.guarded(lambda: _decode(header, frame, frame.high_bit), damaged)
    if syntax not in (*_JPEG_8_BIT, *_DECODER):
        raise bad_film(header.name, f"cannot be decoded: there is no decoder for it {where}")
    code = header.guarded(lambda: _first_code(header, frame), damaged)
    if syntax != _RLE:
        claimed = Code(frame.height, frame.width, frame.samples, bits=8 if syntax in _JPEG_8_BIT else 16)
        refuse_mismatch(code, claimed, header.name, where)
    if not _is_safe(code, syntax, frame):
        raise bad_film(header.name, damaged)
    if syntax in _JPEG_8_BIT:
        return decode(code, name=header.name, minimum_side=1)
    return header.guarded(lambda: _decode(header, frame, frame.bits - 1), damaged)


def _is_safe(code: bytes, syntax: str, frame: Frame) -> bool:
    """Whether the code may be given to the decoder, whatever comes of it."""
    if syntax == _RLE:
        # No encoder exceeds this; of a longer code, the bytes may become 64 times as many: PS3.5, annex G.
        return len(code) <= 2 * frame.height * frame.width * frame.samples * frame.allocated // 8 + 1024
    return syntax not in _JPEG_LOSSLESS or is_sound_lossless(code)


def _first_code(header: Header, frame: Frame) -> bytes:
    from pydicom.encaps import get_frame

    return get_frame(header.content("PixelData"), 0, number_of_frames=frame.frames)


def _decode(header: Header, frame: Frame, high_bit: int) -> Stored:
    from pydicom.pixels.decoders.base import get_decoder

    options: dict[str, Any] = {
        "rows": frame.height,
        "columns": frame.width,
        "samples_per_pixel": frame.samples,
        "photometric_interpretation": frame.photometric,
        "planar_configuration": frame.planar,
        "bits_allocated": frame.allocated,
        "bits_stored": frame.bits,
        "pixel_representation": int(frame.signed),
        "number_of_frames": frame.frames,
        "pixel_keyword": "PixelData",
        "pixel_vr": header.vr("PixelData"),
        "correct_unused_bits": False,
    }
    plugin = _DECODER.get(header.transfer_syntax, "")
    decoder = get_decoder(header.transfer_syntax)
    pixels, described = decoder.as_array(
        header.content("PixelData"), index=0, raw=True, decoding_plugin=plugin, **options
    )
    if frame.is_colour:
        return _luma(pixels, str(described["photometric_interpretation"]))
    if header.transfer_syntax in _LOSSY:
        return _clipped(pixels, frame)
    return _only_stored_bits(pixels, frame, high_bit)


def _clipped(pixels: Stored, frame: Frame) -> Stored:
    """Within the stored bits: a lossy code may overshoot them if it has room, and white must not become black."""
    low, high = value_range(frame.bits, frame.signed)
    return np.clip(pixels.astype(np.int32), low, high)


def _only_stored_bits(pixels: Stored, frame: Frame, high_bit: int) -> Stored:
    """Without what stands in the other bits (overlays, in older films), and with the sign spread: PS3.5, 8.1.1."""
    kind = np.dtype(f"{'i' if frame.signed else 'u'}{pixels.dtype.itemsize}")
    if frame.bits == frame.allocated:
        return pixels.astype(kind, copy=False)
    size = 8 * kind.itemsize
    shifted = np.left_shift(pixels.astype(kind), kind.type(max(0, size - 1 - high_bit)))
    return np.right_shift(shifted, kind.type(max(0, size - frame.bits)))


def _luma(pixels: Stored, photometric: str) -> Stored:
    """uint8 [height, width] of colours [height, width, 3]."""
    if photometric.startswith("YBR"):
        return np.ascontiguousarray(pixels[..., 0])
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _syntax_name(header: Header) -> str:
    """By the standard's name; another text in its place might be anything."""
    from pydicom.uid import UID

    name = header.guarded(lambda: UID(header.transfer_syntax).name, "has a damaged DICOM header")
    return "unknown" if name == header.transfer_syntax else name
