"""Film files to uint8 gray and back: decode, resize once, store."""

import io
import zlib
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from trainer.errors import DataError

Encoding = Literal["raw", "jpeg", "png"]
Pixels = npt.NDArray[np.uint8]

FILM_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")

LARGEST_PIXELS = 64 * 2**20
"""A film of more pixels is taken for a decompression bomb; the largest detectors give about 20 million."""

LARGEST_BYTES = 8 * LARGEST_PIXELS
"""A file of more is no film: four samples of 16 bits a pixel, not compressed at all."""

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I")


def decode(data: bytes, *, name: str, minimum_side: int) -> Pixels:
    """The gray film in a PNG or JPEG file: uint8 [height, width].

    Colour becomes luma (ITU-R 601-2), alpha is dropped, 16 bits become 8 by division by 257.
    Raises DataError that names the film: not PNG or JPEG, broken, truncated, too small or too large.
    """
    if data.startswith(_PNG_START):
        image = _decode_png(data, name)
    elif data.startswith(_JPEG_START):
        image = _decode_jpeg(data, name)
    else:
        raise bad_film(name, "is neither PNG, JPEG nor DICOM" if data else "is empty")
    if min(image.shape) < minimum_side:
        height, width = image.shape
        raise bad_film(name, f"has {width}x{height} pixels, a side below {minimum_side} (prepare.minimum_side)")
    return image


def resize(image: Pixels, side: int) -> Pixels:
    """The film padded with black to a square, so that the heart keeps its shape, and scaled: uint8 [side, side]."""
    square = _pad_to_square(image)
    if len(square) == side:
        return square
    # reducing_gap averages whole pixels first: half the time of one antialiased pass, and no more aliasing.
    scaled = Image.fromarray(square).resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(scaled)


def encode(image: Pixels, encoding: Encoding, jpeg_quality: int) -> bytes:
    """The bytes a shard keeps of ``image``, uint8 [height, width]."""
    if encoding == "raw":
        return image.tobytes()
    if encoding == "jpeg":
        gray = np.ascontiguousarray(image)[..., np.newaxis]
        return bytes(simplejpeg.encode_jpeg(gray, jpeg_quality, "GRAY", "Gray"))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "png")
    return buffer.getvalue()


def decode_stored(data: bytes | memoryview, encoding: Encoding, out: Pixels) -> None:
    """Decodes what ``encode`` made into ``out``, uint8 [height, width] of the stored size, contiguous."""
    if encoding == "raw":
        out[...] = np.frombuffer(data, dtype=np.uint8).reshape(out.shape)
    elif encoding == "jpeg":
        simplejpeg.decode_jpeg(data, "GRAY", buffer=out)
    else:
        with Image.open(io.BytesIO(data)) as image:
            out[...] = np.asarray(image)


def bad_film(name: str, rule: str) -> DataError:
    """The error of a film that cannot be used."""
    return DataError("film", name, rule, "replace the file")


def _decode_png(data: bytes, name: str) -> Pixels:
    _check_chunks(data, name)
    _refuse_bomb(name, int.from_bytes(data[20:24]), int.from_bytes(data[16:20]))
    return _decode_with_pillow(data, name)


def _check_chunks(data: bytes, name: str) -> None:
    """Raises DataError unless every chunk up to IEND is there and unharmed, and the first alone is IHDR.

    PNG specification, sections 5.3 and 5.6. Pillow takes the size from an IHDR wherever it stands.
    """
    # Pillow checks no sum of the pixels' chunks, and is content once the last row is there.
    view, start, kind = memoryview(data), len(_PNG_START), b""
    while kind != b"IEND":
        end = start + 12 + int.from_bytes(view[start : start + 4])
        if end > len(data):
            raise bad_film(name, "is a truncated PNG")
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise bad_film(name, "is a damaged PNG (a chunk's CRC is wrong)")
        kind = bytes(view[start + 4 : start + 8])
        if (kind == b"IHDR") != (start == len(_PNG_START)):
            raise bad_film(name, "is a damaged PNG (its IHDR is not its first chunk alone)")
        start = end


def _decode_jpeg(data: bytes, name: str) -> Pixels:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        _refuse_bomb(name, height, width)
        if colours not in ("Gray", "YCbCr"):
            return _decode_with_pillow(data, name)
        return np.asarray(simplejpeg.decode_jpeg(data, "GRAY")[..., 0])
    except ValueError as error:
        raise bad_film(name, f"is a broken JPEG ({_one_line(error)})") from error


def _refuse_bomb(name: str, height: int, width: int) -> None:
    if height * width > LARGEST_PIXELS:
        raise bad_film(name, f"claims {width}x{height} pixels, more than {LARGEST_PIXELS}")


def _decode_with_pillow(data: bytes, name: str) -> Pixels:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _to_gray(image)
    except UnidentifiedImageError as error:
        # Its text holds an address in memory.
        raise bad_film(name, "cannot be decoded (its header makes no sense)") from error
    except Exception as error:  # A damaged file makes Pillow raise nearly anything.
        raise bad_film(name, f"cannot be decoded ({_one_line(error)})") from error


def _to_gray(image: Image.Image) -> Pixels:
    if image.mode in _SIXTEEN_BIT_MODES:
        wide = np.asarray(image).astype(np.uint32)
        return ((wide + 128) // 257).astype(np.uint8)
    steps: dict[str, Callable[[Any], Any]] = {
        # Pillow warns when a palette with several transparent colours goes to gray at once.
        "P": lambda film: film.convert("RGBA").convert("L"),
        "L": lambda film: film,
    }
    return np.asarray(steps.get(image.mode, lambda film: film.convert("L"))(image))


def _pad_to_square(image: Pixels) -> Pixels:
    height, width = image.shape
    side = max(height, width)
    if height == width:
        return image
    top, left = (side - height) // 2, (side - width) // 2
    square = np.zeros((side, side), dtype=np.uint8)
    square[top : top + height, left : left + width] = image
    return square


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
