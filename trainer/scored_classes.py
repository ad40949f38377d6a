"""Which classes of a set a checkpoint is scored on: all, or those that both have where their label sets differ."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.errors import DataError
from trainer.labels import label_set, shared_classes

log = logging.getLogger("cxr_train")

_SAME = "evaluate on a set prepared with the same prepare.image_size and data.labels"


@dataclass(frozen=True)
class ScoredClasses:
    """The classes by the set's names, in the checkpoint's order, and where they stand on both sides."""

    names: tuple[str, ...]
    outputs: list[int]
    """Columns of the network's outputs."""
    columns: list[int]
    """Columns of the set's labels."""
    findings: list[int]
    """Which of ``names`` are pathologies."""
    part: str
    """Ends the name of the folder of scores: empty, or the label set where it is not the checkpoint's."""

    def of_network(self, probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[films, names] from [films, outputs]."""
        return probabilities[:, self.outputs]

    def of_set(self, labels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """[films, names] from [films, columns]."""
        return labels[:, self.columns]


def scored_classes(config: Config, films: FilmSet, trained: Sequence[str], image_size: int) -> ScoredClasses:
    """For a checkpoint that was trained on these classes, on films of ``image_size`` pixels.

    Raises DataError where the films are of another size, or the classes are others and ``evaluate.shared_classes`` does
    not allow that, or none is shared.
    """
    key = f"data.{config.evaluate.split}"
    image, classes, where = films.manifest.image, films.manifest.classes, films.store.where
    if (image.height, image.width) != (image_size, image_size):
        rule = f"holds films of {image.width}x{image.height} pixels, the checkpoint was trained on {image_size}"
        raise DataError(key, where, rule, _SAME)
    if tuple(trained) == tuple(classes):
        every = list(range(len(classes)))
        return _scored(films, every, every, "")
    shared = shared_classes(trained, classes)
    _refuse(config, key, where, shared, films.manifest.labels)
    outputs, columns = (list(each) for each in zip(*shared, strict=True))
    found = _scored(films, outputs, columns, f"-{films.manifest.labels}")
    count, all_theirs, all_ours = len(shared), len(classes), len(trained)
    log.info(
        "scored on %d classes that are shared by the set's %d (%s) and the checkpoint's %d: %s",
        *(count, all_theirs, films.manifest.labels, all_ours, ", ".join(found.names)),
    )
    return found


def _scored(films: FilmSet, outputs: list[int], columns: list[int], part: str) -> ScoredClasses:
    names = tuple(films.manifest.classes[each] for each in columns)
    findings = label_set(films.manifest.labels).findings
    return ScoredClasses(names, outputs, columns, [place for place, each in enumerate(names) if each in findings], part)


def _refuse(config: Config, key: str, where: str, shared: Sequence[tuple[int, int]], labels: str) -> None:
    if not shared:
        raise DataError(key, where, f"is labelled with {labels}, which shares no class with the checkpoint", _SAME)
    if not config.evaluate.shared_classes:
        cure = f"set evaluate.shared_classes=true to score the {len(shared)} classes that both have, or {_SAME}"
        raise DataError(
            key, where, f"is labelled with {labels}, other classes than the checkpoint was trained on", cure
        )
