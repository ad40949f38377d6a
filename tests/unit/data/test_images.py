"""Film files to uint8 gray: every form a film comes in, and every way it can be broken."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image

from trainer.data.film.images import Encoding, Pixels, decode, decode_stored, encode, resize
from trainer.errors import DataError

FILMS = Path(os.environ.get("CXR_TRAIN_TEST_FILMS", Path(__file__).parents[4] / "shared" / "data"))


def gray(height: int = 60, width: int = 48) -> Pixels:
    """A smooth film with some noise: every level occurs."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 8, (height, width))
    return ((x * 3 + y * 2 + noise) % 256).astype(np.uint8)


def file_of(image: Image.Image, form: str = "png", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def decoded(data: bytes, minimum_side: int = 32) -> Pixels:
    return decode(data, name="film.png", minimum_side=minimum_side)


def refusal(data: bytes, minimum_side: int = 32) -> str:
    with pytest.raises(DataError) as error:
        decoded(data, minimum_side)
    message = str(error.value)
    assert message.startswith("film: 'film.png' ")
    assert message.endswith("; replace the file")
    assert "\n" not in message
    assert error.value.exit_code == 3
    return message


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_gray_film_survives_every_png_mode(mode: str) -> None:
    np.testing.assert_array_equal(decoded(file_of(Image.fromarray(gray()).convert(mode))), gray())


def test_a_palette_is_looked_up_even_with_transparent_colours() -> None:
    image = Image.fromarray(gray() // 2 * 2).convert("P")
    np.testing.assert_array_equal(decoded(file_of(image, transparency=bytes([0, 7, 255]))), gray() // 2 * 2)


def test_one_bit_films_are_black_and_white() -> None:
    ink = gray() > 100
    np.testing.assert_array_equal(decoded(file_of(Image.fromarray(ink))), ink * np.uint8(255))


def test_sixteen_bits_become_eight_over_the_full_range() -> None:
    wide = gray().astype(np.uint16) * 257
    np.testing.assert_array_equal(decoded(file_of(Image.fromarray(wide))), gray())


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_of_any_colour_space_is_close_to_the_film(mode: str) -> None:
    smooth = np.tile(np.linspace(40, 200, 64).astype(np.uint8), (64, 1))
    found = decoded(file_of(Image.fromarray(smooth).convert(mode), "jpeg", quality=98))
    assert np.abs(found.astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("data", [b"", b"not a film", b"BM" + bytes(100), b"\x89PNG", b"\xff\xd8\xff"])
def test_what_is_no_film_is_refused(data: bytes) -> None:
    refusal(data)


def test_no_truncated_png_is_accepted() -> None:
    data = file_of(Image.fromarray(gray()))
    for length in range(0, len(data), 7):
        refusal(data[:length])
    assert "truncated" in refusal(data[:-1])


@pytest.mark.parametrize("progressive", [False, True])
def test_no_truncated_jpeg_is_accepted(progressive: bool) -> None:
    data = file_of(Image.fromarray(gray()), "jpeg", progressive=progressive)
    for length in range(0, len(data), 7):
        refusal(data[:length])
    assert "broken JPEG" in refusal(data[: len(data) // 2])


def test_no_flipped_bit_of_a_png_gives_another_film() -> None:
    data = file_of(Image.fromarray(gray()))
    draw = random.Random(0)
    for _ in range(500):
        flipped = bytearray(data)
        flipped[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        refusal(bytes(flipped))


def test_a_tiny_film_is_bad() -> None:
    assert "1x1 pixels" in refusal(file_of(Image.fromarray(np.zeros((1, 1), np.uint8))))
    assert "48x60 pixels" in refusal(file_of(Image.fromarray(gray())), minimum_side=49)
    assert decoded(file_of(Image.fromarray(gray())), minimum_side=48).shape == (60, 48)


def png_claiming(width: int, height: int) -> bytes:
    data = bytearray(file_of(Image.fromarray(gray())))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    assert "claims 100000x100000 pixels" in refusal(png_claiming(100_000, 100_000))
    bomb = bytearray(file_of(Image.fromarray(gray()), "jpeg"))
    size = bomb.index(struct.pack(">HH", 60, 48))
    bomb[size : size + 4] = struct.pack(">HH", 65_000, 65_000)
    assert "claims 65000x65000 pixels" in refusal(bytes(bomb))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_bomb_whose_size_stands_behind_another_chunk_is_refused() -> None:
    data = file_of(Image.fromarray(gray()))
    size = chunk(b"IHDR", struct.pack(">II", 12_000, 12_000) + bytes([8, 0, 0, 0, 0]))
    # Where a size is looked for, the text has a small one.
    hidden = data[:8] + chunk(b"tEXt", b"a\0" + bytes([0, 48, 0, 0, 0, 60])) + size + data[33:]
    assert "its IHDR is not its first chunk" in refusal(hidden)
    assert "its IHDR is not its first chunk alone" in refusal(data[:33] + size + data[33:])


def test_whatever_a_damaged_png_makes_its_decoder_raise_the_film_is_bad() -> None:
    data = file_of(Image.fromarray(gray()))
    assert "cannot be decoded" in refusal(data[:-12] + chunk(b"iCCP", b"") + data[-12:])


def test_the_reason_is_the_same_each_time() -> None:
    no_such_colour = chunk(b"IHDR", struct.pack(">II", 48, 60) + bytes([8, 5, 0, 0, 0]))
    data = file_of(Image.fromarray(gray()))
    assert "(its header makes no sense)" in refusal(data[:8] + no_such_colour + data[33:])


def test_a_film_of_the_size_is_left_alone() -> None:
    film = gray(64, 64)
    assert resize(film, 64) is film


@pytest.mark.parametrize(("height", "width"), [(60, 30), (30, 60), (61, 30)])
def test_a_film_that_is_no_square_is_padded_with_black_and_keeps_its_shape(height: int, width: int) -> None:
    scaled = resize(np.full((height, width), 200, np.uint8), max(height, width) * 2)
    assert scaled.shape == (max(height, width) * 2,) * 2
    assert (scaled > 100).sum() == pytest.approx(height * width * 4, rel=0.02)
    assert scaled[0, 0] == scaled[-1, -1] == 0


def test_fine_patterns_become_gray_and_do_not_alias() -> None:
    checker = (np.indices((512, 512)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(resize(checker, 100).astype(int) - 128).max() <= 2


def test_a_resized_film_keeps_its_mean() -> None:
    film = gray(300, 300)
    assert resize(film, 70).mean() == pytest.approx(film.mean(), abs=0.5)


@pytest.mark.parametrize(("encoding", "worst"), [("raw", 0), ("png", 0), ("jpeg", 12)])
def test_a_stored_film_comes_back(encoding: Encoding, worst: int) -> None:
    film, out = gray(), np.zeros_like(gray())
    decode_stored(memoryview(encode(film, encoding, jpeg_quality=98)), encoding, out)
    assert np.abs(out.astype(int) - film).max() <= worst


def test_jpeg_quality_is_used() -> None:
    assert len(encode(gray(), "jpeg", 20)) < len(encode(gray(), "jpeg", 95)) / 2


def test_a_stored_jpeg_is_one_channel() -> None:
    assert simplejpeg.decode_jpeg_header(encode(gray(), "jpeg", 95))[2] == "Gray"


@pytest.mark.skipif(not (FILMS / "nih" / "originals").is_dir(), reason="real films: set CXR_TRAIN_TEST_FILMS")
def test_every_original_film_is_decoded() -> None:
    paths = sorted((FILMS / "nih" / "originals").iterdir())
    for path in paths:
        film = decode(path.read_bytes(), name=path.name, minimum_side=512)
        assert film.shape == (1024, 1024)
        assert resize(film, 224).std() > 20
    assert len(paths) == 40
