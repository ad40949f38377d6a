"""A film as a picture, and the same film under what a network looked at."""

import io
from functools import cache

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from PIL import Image

from trainer.data.film.images import Pixels
from trainer.report.drawing import label_axes, new_figure, to_svg
from trainer.report.page.blocks import Picture

SIDE = 256
"""Pixels of the longer side of a picture; films are enlarged or made smaller to it."""

# Perceptually uniform, and told apart by colour-blind readers; where there is no heat the film shows as it is.
_MAP, _STRONGEST = "viridis", 0.65
_EDGE_LEVEL, _EDGE = 0.5, (255, 255, 255)
_JPEG_QUALITY = 88

Heat = npt.NDArray[np.float32]


def film_picture(film: Pixels, alt: str) -> Picture:
    """A film, uint8 [height, width], as JPEG."""
    return _picture(_enlarged(film), alt)


def overlay_picture(film: Pixels, heat: Heat, alt: str) -> Picture:
    """A film, uint8 [height, width], under heat, float [height, width], 0 to 1; a white line around half the most."""
    gray = _enlarged(film)
    hot = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(gray.size, Image.Resampling.BICUBIC)).clip(0, 1)
    weight = (_STRONGEST * hot)[..., None]
    blended = np.asarray(gray, np.float32)[..., None] * (1 - weight) + 255.0 * _colours()(hot)[..., :3] * weight
    blended[_edge(hot >= _EDGE_LEVEL)] = _EDGE
    return _picture(Image.fromarray(blended.round().astype(np.uint8)), alt)


def legend() -> Picture:
    """What the colours of an overlay stand for."""
    figure = new_figure(5.2, 1.1)
    axes = figure.subplots()
    axes.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=_MAP, extent=(0, 1, 0, 1))
    axes.axvline(_EDGE_LEVEL, color="white", linewidth=2)
    label_axes(axes, "", "what raised the score: from nothing to most in this film", "")
    axes.set_xticks([0, 0.5, 1], ["0", "half: white line", "most"])
    axes.set_yticks([])
    axes.grid(visible=False)
    alt = "Colours from dark blue, nothing, over green at half, where a white line runs, to yellow, most in this film."
    return Picture(alt, to_svg(figure), "image/svg+xml", 520, 110)


@cache
def _colours() -> mpl.colors.Colormap:
    return mpl.colormaps[_MAP]


def _enlarged(film: Pixels) -> Image.Image:
    height, width = film.shape
    factor = SIDE / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return Image.fromarray(film).resize(size, Image.Resampling.BICUBIC)


def _edge(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels inside that have a neighbour outside."""
    padded = np.pad(inside, 1, mode="edge")
    whole = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(inside & ~whole)


def _picture(image: Image.Image, alt: str) -> Picture:
    content = io.BytesIO()
    image.save(content, "jpeg", quality=_JPEG_QUALITY)
    return Picture(alt, content.getvalue(), "image/jpeg", *image.size)
