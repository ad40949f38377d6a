"""Holds what was exported to the trainer's own scores: on films of a set where one is at hand, and on drawn ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.config import Config
from trainer.data.film.images import resize
from trainer.data.film_set import FilmSet
from trainer.data.plan import scoring_batch
from trainer.data.shard.manifest import Split
from trainer.data.store.opening import open_store
from trainer.errors import DataError, SelfTestError

TOLERANCE = 1e-4
"""Largest difference of a probability that is taken for rounding."""

Images = npt.NDArray[np.uint8]
Score = Callable[[Images], npt.NDArray[np.float32]]
"""From films, uint8 [films, height, width, 1], to probabilities, float32 [films, classes]."""

_SPLITS: tuple[Split, ...] = ("test", "validation", "training")
_ANY_SIZES = ((3.1, 2.6), (1.0, 1.4), (0.7, 0.5))
"""Heights and widths of drawn films, as parts of the image size."""


@dataclass(frozen=True)
class Films:
    """Films to check with."""

    stored: Images
    """As a set stores them, [films, side, side, 1]."""
    of_any_size: tuple[Images, ...]
    source: str
    """Of the stored ones."""

    def expected(self, score: Score) -> tuple[list[npt.NDArray[np.float32]], ...]:
        """What the trainer gives: of the stored films, and of the others once they are resized as ``prepare`` does."""
        side = self.stored.shape[1]
        resized = [np.stack([resize(each, side) for each in films[..., 0]]) for films in self.of_any_size]
        return [score(self.stored)], [score(each[..., np.newaxis]) for each in resized]


def films_to_check(config: Config, image_size: int) -> Films:
    """``export.films`` of the first set that ``data`` names and that is there with that size; else drawn ones."""
    random = np.random.default_rng(0)
    sides = [(max(1, int(image_size * height)), max(1, int(image_size * width))) for height, width in _ANY_SIZES]
    others = tuple(_drawn(random, 2, *each) for each in sides)
    for split in _SPLITS:
        found = _of_set(config, split, image_size)
        if found is not None:
            return Films(found, others, f"the {split} set")
    return Films(_drawn(random, config.export.films, image_size, image_size), others, "drawn at random")


def check(name: str, score: Score, given: Sequence[Images], expected: Sequence[npt.NDArray[np.float32]]) -> float:
    """The largest difference from what is expected. Raises SelfTestError where it is more than TOLERANCE."""
    difference = 0.0
    for films, wanted in zip(given, expected, strict=True):
        found = np.asarray(score(films))
        if found.shape != wanted.shape:
            raise _refused(name, f"gives {list(found.shape)} numbers for {list(wanted.shape)}")
        worst = float(np.max(np.abs(found - wanted)))
        # A score that is not a number is no small difference.
        if not worst <= TOLERANCE:
            raise _refused(name, f"differs by {worst:.2g} from the trainer's own scores, above {TOLERANCE:g}")
        difference = max(difference, worst)
    return difference


def _of_set(config: Config, split: Split, image_size: int) -> Images | None:
    where = getattr(config.data, split)
    if not where:
        return None
    try:
        films = FilmSet.open(open_store(where, config.store, f"data.{split}"), config.data.cache)
    except DataError:
        return None
    image = films.manifest.image
    count = min(config.export.films, films.manifest.films)
    if (image.height, image.width) != (image_size, image_size) or not count:
        return None
    try:
        return films.gather(scoring_batch(films.records_per_shard, 0, count)).images.copy()
    finally:
        films.close()


def _drawn(random: np.random.Generator, films: int, height: int, width: int) -> Images:
    return random.integers(0, 256, (films, height, width, 1), dtype=np.uint8)


def _refused(name: str, rule: str) -> SelfTestError:
    return SelfTestError("export.formats", name, rule, "nothing was written; please report it with the run's settings")
