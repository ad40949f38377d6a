"""The stored values of one DICOM frame: native, RLE, JPEG, lossless JPEG, JPEG-LS or JPEG 2000."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.data.film.codestream import Code, require_code
from trainer.data.film.dicom_frame import Frame
from trainer.data.film.dicom_gray import value_range
from trainer.data.film.dicom_header import Header
from trainer.data.film.images import bad_film, decode
from trainer.data.film.jpeg_lossless import is_sound_lossless

Stored = npt.NDArray[Any]
"""Integers [height, width] within the stored bits."""

_UID = "1.2.840.10008.1.2"
_NATIVE = (_UID, f"{_UID}.1", f"{_UID}.2")
_RLE = f"{_UID}.5"
_JPEG_8_BIT = (f"{_UID}.4.50", f"{_UID}.4.51")
_JPEG_LOSSLESS = (f"{_UID}.4.57", f"{_UID}.4.70")
_JPEG_LS = (f"{_UID}.4.80", f"{_UID}.4.81")
_JPEG_2000 = (f"{_UID}.4.90", f"{_UID}.4.91")
_LOSSY = (*_JPEG_8_BIT, _JPEG_LS[1], _JPEG_2000[1])
# One decoder each, so that the pixels do not depend on what else is installed.
_DECODER = {
    **dict.fromkeys(_NATIVE, ""),
    _RLE: "pydicom",
    **dict.fromkeys((*_JPEG_LOSSLESS, *_JPEG_LS), "gdcm"),
    **dict.fromkeys(_JPEG_2000, "pylibjpeg"),
}


class _Form(NamedTuple):
    """How a decoder is told that samples are stored: of a code, by its own word, or gdcm ends the process."""

    allocated: int
    bits: int
    signed: bool
    photometric: str


def decode_frame(header: Header, frame: Frame) -> Stored:
    """The (first) frame: the stored values [height, width], or, of a film in colours, its luma, uint8.

    Raises DataError if the pixels are missing, truncated, damaged, of another size than claimed, or in a form that is
    not read.
    """
    syntax, where = header.transfer_syntax, f"(transfer syntax {_syntax_name(header)})"
    damaged = f"cannot be decoded: its pixels are damaged {where}"
    if syntax not in (*_JPEG_8_BIT, *_DECODER):
        raise bad_film(header.name, f"cannot be decoded: there is no decoder for it {where}")
    if syntax in _NATIVE:
        form = _Form(frame.allocated, frame.bits, frame.signed, frame.photometric)
        return header.guarded(lambda: _decode(header, frame, form, frame.high_bit), damaged)
    code = header.guarded(lambda: _first_code(header, frame), damaged)
    if syntax == _RLE:
        form = _Form(frame.allocated, frame.bits, frame.signed, frame.photometric)
        # No encoder exceeds this; of a longer code, the bytes may become 64 times as many: PS3.5, annex G.
        is_safe = len(code) <= 2 * frame.height * frame.width * frame.samples * frame.allocated // 8 + 1024
    else:
        least, most = (8, 8) if syntax in _JPEG_8_BIT else (8, 16)
        found = require_code(code, Code(frame.height, frame.width, frame.samples, most), least, header.name, where)
        form = _form_of(found, frame, syntax)
        is_safe = syntax not in _JPEG_LOSSLESS or is_sound_lossless(code)
    if not is_safe:
        raise bad_film(header.name, damaged)
    if syntax in _JPEG_8_BIT:
        pixels = decode(code, name=header.name, minimum_side=1)
        return pixels if frame.is_colour else _fitted(pixels, frame, frame.bits - 1, is_lossy=not frame.signed)
    return header.guarded(lambda: _decode(header, frame, form, frame.bits - 1), damaged)


def _form_of(found: Code, frame: Frame, syntax: str) -> _Form:
    photometric = frame.photometric if syntax in _JPEG_2000 else "RGB" if frame.is_colour else "MONOCHROME2"
    return _Form(8 if found.bits == 8 else 16, found.bits, found.signed, photometric)


def _first_code(header: Header, frame: Frame) -> bytes:
    from pydicom.encaps import get_frame

    return get_frame(header.content("PixelData"), 0, number_of_frames=frame.frames)


def _decode(header: Header, frame: Frame, form: _Form, high_bit: int) -> Stored:
    from pydicom.pixels.decoders.base import get_decoder

    syntax = header.transfer_syntax
    options: dict[str, Any] = {
        "rows": frame.height,
        "columns": frame.width,
        "samples_per_pixel": frame.samples,
        "photometric_interpretation": form.photometric,
        "planar_configuration": frame.planar if syntax in _NATIVE else 0,
        "bits_allocated": form.allocated,
        "bits_stored": form.bits,
        "pixel_representation": int(form.signed),
        "number_of_frames": frame.frames,
        "pixel_keyword": "PixelData",
        "pixel_vr": header.vr("PixelData"),
        "correct_unused_bits": False,
    }
    content, decoder = header.content("PixelData"), get_decoder(syntax)
    pixels, made = decoder.as_array(content, index=0, raw=True, decoding_plugin=_DECODER[syntax], **options)
    if frame.is_colour:
        is_rgb = frame.photometric == "RGB" or (syntax in _JPEG_2000 and made["photometric_interpretation"] == "RGB")
        return np.asarray(Image.fromarray(pixels).convert("L")) if is_rgb else np.ascontiguousarray(pixels[..., 0])
    return _fitted(pixels, frame, high_bit, is_lossy=syntax in _LOSSY and form.signed == frame.signed)


def _fitted(pixels: Stored, frame: Frame, high_bit: int, *, is_lossy: bool) -> Stored:
    """Within the stored bits, with the sign spread: PS3.5, 8.1.1."""
    if is_lossy:
        # It overshoots into the other bits, if it has them, and white must not become black.
        return np.clip(pixels.astype(np.int32), *value_range(frame.bits, frame.signed))
    kind = np.dtype(f"{'i' if frame.signed else 'u'}{pixels.dtype.itemsize}")
    # Otherwise what stands in the other bits is something else: overlays, in older films.
    size = 8 * kind.itemsize
    if frame.bits == size:
        return pixels.astype(kind, copy=False)
    shifted = np.left_shift(pixels.astype(kind), kind.type(max(0, size - 1 - high_bit)))
    return np.right_shift(shifted, kind.type(max(0, size - frame.bits)))


def _syntax_name(header: Header) -> str:
    """By the standard's name; another text in its place might be anything."""
    from pydicom.uid import UID

    name = header.guarded(lambda: UID(header.transfer_syntax).name, "has a damaged DICOM header")
    return "unknown" if name == header.transfer_syntax else name
