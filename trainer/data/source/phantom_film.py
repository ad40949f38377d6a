"""The drawing of one phantom: something like a chest film, with a sign for each of its findings."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.data.film.images import Pixels
from trainer.labels import NIH14

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

# Signs fall with their centres in this part of the side: broad, so that where a pixel lies tells nothing.
_REGION = (0.2, 0.8)
_SIGN_SIDE = 0.25
_CONTRAST = 30.0
_RAREST, _COMMONEST = 0.10, 0.15
_TRIES = 20


class Grid(NamedTuple):
    """Coordinates of the pixels: float [side, side], -1 to 1 from left to right and from top to bottom."""

    x: Floats
    y: Floats


def draw_film(random: Random, side: int) -> tuple[Pixels, tuple[str, ...]]:
    """A film, uint8 [side, side], and its findings, which are independent of each other and of all else."""
    prevalence = np.linspace(_RAREST, _COMMONEST, len(NIH14.classes))
    drawn = random.random(len(prevalence)) < prevalence
    findings = tuple(name for name, there in zip(NIH14.classes, drawn, strict=True) if there)
    film = _chest(random, _grid(side)) + random.normal(0, 6, (side, side))
    _add_signs(film, findings, random)
    return np.clip(film, 0, 255).round().astype(np.uint8), findings


def sign(finding: str, side: int) -> Floats:
    """The finding's sign: float [side, side], of zero mean and unit standard deviation."""
    drawn = _SHAPES[finding](*_grid(side)).astype(np.float64)
    return np.asarray((drawn - drawn.mean()) / drawn.std())


def _chest(random: Random, grid: Grid) -> Floats:
    """A body before a dark border, two lungs darker than it, a bright spine, ribs; in gray levels."""
    x, y = grid
    level, lung_depth, spine = random.uniform(115, 145), random.uniform(20, 40), random.uniform(5, 20)
    body = _soft(1 - np.hypot(x / random.uniform(0.85, 1.05), y / random.uniform(1.0, 1.3)))
    lungs = _lung(random, grid, -1) + _lung(random, grid, 1)
    ribs = np.sin(random.uniform(14, 20) * y + random.uniform(0, 6) + random.uniform(1, 3) * x * x)
    middle = np.exp(-((x / 0.12) ** 2))
    return np.asarray(30 + body * (level - 30 - lungs * (lung_depth + 4 * ribs) + spine * middle))


def _lung(random: Random, grid: Grid, direction: int) -> Floats:
    x = grid.x - direction * random.uniform(0.35, 0.45)
    y = grid.y + random.uniform(-0.1, 0.2)
    tilt = direction * random.uniform(0.0, 0.2)
    return _soft(1 - np.hypot((x - tilt * y) / random.uniform(0.26, 0.34), y / random.uniform(0.55, 0.75)))


def _soft(depth: npt.NDArray[Any]) -> Floats:
    """1 well inside, 0 well outside, by the depth below an edge."""
    return np.asarray(1 / (1 + np.exp(-depth * 12)))


def _add_signs(film: Floats, findings: tuple[str, ...], random: Random) -> None:
    side = round(_SIGN_SIDE * len(film))
    corners: list[Floats] = []
    for finding in findings:
        corner = _free_corner(corners, side, len(film), random)
        corners.append(corner)
        top, left = corner.astype(int)
        film[top : top + side, left : left + side] += _CONTRAST * random.uniform(0.8, 1.2) * sign(finding, side)


def _free_corner(taken: list[Floats], side: int, film_side: int, random: Random) -> Floats:
    """Top and left, pixels, of a patch that covers no other, as far as tries find one."""
    low, high = (part * film_side - side / 2 for part in _REGION)
    corner = random.uniform(low, high, 2)
    for _ in range(_TRIES):
        if all(np.abs(corner - other).max() >= side for other in taken):
            break
        corner = random.uniform(low, high, 2)
    return corner


def _grid(side: int) -> Grid:
    across = (np.arange(side) + 0.5) * 2 / side - 1
    return Grid(*np.meshgrid(across, across))


def _stripes(phase: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray(np.sin(2 * np.pi * phase) > 0)


# None has one bright and one dark half: where the region of signs ends, that would leave a mean to learn from.
_SHAPES: Mapping[str, Callable[[Floats, Floats], npt.NDArray[np.bool_]]] = {
    "Atelectasis": lambda _, y: _stripes(1.5 * y),
    "Cardiomegaly": lambda x, y: np.hypot(x, y) < 0.75,
    "Consolidation": lambda x, y: _stripes(x) ^ _stripes(y),
    "Edema": lambda x, _: _stripes(1.5 * x),
    "Effusion": lambda x, y: (np.abs(x) > 0.6) | (y > 0.6),
    "Emphysema": lambda x, y: np.abs(np.hypot(x, y) - 0.65) < 0.2,
    "Fibrosis": lambda x, y: _stripes(x + y),
    "Hernia": lambda x, y: (y < 0.8) & (y > 2 * np.abs(x) - 0.9),
    "Infiltration": lambda x, y: _stripes(x - y),
    "Mass": lambda x, y: np.abs(np.maximum(np.abs(x), np.abs(y)) - 0.75) < 0.2,
    "Nodule": lambda x, y: np.hypot(np.abs(x) - 0.5, np.abs(y) - 0.5) < 0.3,
    "Pleural_Thickening": lambda x, y: np.abs(x - np.sign(y) * 0.5) < 0.3,
    "Pneumonia": lambda x, y: np.minimum(np.abs(x), np.abs(y)) < 0.25,
    "Pneumothorax": lambda x, y: np.abs(np.abs(x) - np.abs(y)) < 0.25,
}
