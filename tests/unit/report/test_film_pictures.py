"""A film as a picture: gray stays gray without heat, and heat shows where it lies."""

import io

import numpy as np
import pytest
from PIL import Image

from trainer.report.film_pictures import SIDE, film_picture, legend, overlay_picture
from trainer.report.page.blocks import Picture

FILM = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))


def pixels(picture: Picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def colour(shown: np.ndarray) -> np.ndarray:
    """How far from gray each pixel is."""
    return shown.max(axis=-1) - shown.min(axis=-1)


def test_a_film_is_shown_as_it_is() -> None:
    picture = film_picture(FILM, "a film")
    shown = pixels(picture)
    assert (picture.alt, picture.width, picture.height) == ("a film", SIDE, SIDE)
    assert colour(shown).max() <= 2
    assert np.abs(shown[::4, ::4, 0] - FILM).mean() < 3


def test_a_film_without_heat_stays_gray() -> None:
    assert colour(pixels(overlay_picture(FILM, np.zeros((64, 64), np.float32), ""))).max() <= 8


def test_heat_shows_where_it_lies_and_nowhere_else() -> None:
    heat = np.zeros((64, 64), np.float32)
    heat[8:24, 40:56] = 1
    shown = colour(pixels(overlay_picture(FILM, heat, "")))
    assert shown[40:88, 168:216].mean() > 60
    shown[16:112, 144:240] = 0
    assert shown.max() <= 12


def test_a_line_runs_around_half_the_most() -> None:
    rows = np.abs(np.arange(64) - 31.5)
    heat = np.clip(1 - np.hypot(*np.meshgrid(rows, rows)) / 20, 0, 1).astype(np.float32)
    shown = pixels(overlay_picture(np.zeros((64, 64), np.uint8), heat, ""))
    assert shown[128].min(axis=-1).max() > 180
    assert abs(int(shown[128].min(axis=-1)[:128].argmax()) - (128 - 40)) <= 4


@pytest.mark.parametrize(("shape", "size"), [((40, 80), (256, 128)), ((1024, 1024), (256, 256)), ((3, 900), (256, 1))])
def test_films_of_any_shape_keep_it(shape: tuple[int, int], size: tuple[int, int]) -> None:
    film, heat = np.full(shape, 99, np.uint8), np.full(shape, 0.3, np.float32)
    for picture in (film_picture(film, ""), overlay_picture(film, heat, "")):
        assert (picture.width, picture.height) == size


def test_the_legend_says_its_colours_in_words() -> None:
    assert "yellow, most" in legend().alt
    assert legend().content.lstrip().startswith(b"<?xml")
