"""Some of a set's films: how many, of how many patients, and of which classes they say enough."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import Ranking
from trainer.metrics.estimate import Floats
from trainer.metrics.resampling import Resampling

FEWEST_PATIENTS = 10
"""Patients with a class, and patients without it, from which on an AUROC is told.

A rule of this program's own: with ten films of each, an AUROC of 0.8 has a standard error of 0.1 (Hanley and McNeil,
1982).
"""


@dataclass(frozen=True)
class Cohort:
    """The films under a mask [films], and their counts."""

    name: str
    mask: NDArray[np.bool_]
    patients: int
    counts: NDArray[np.int64]
    """Of each class: positive films, films whose label is known, patients with it, patients without: [classes, 4]."""

    @classmethod
    def of(cls, name: str, mask: NDArray[np.bool_], labels: Floats, resampling: Resampling) -> "Cohort":
        """The films of ``mask``, their labels float [films, classes], 1, 0, or NaN; patients as in ``resampling``."""
        patients = resampling.patient_of_film[mask]
        counts = [_count(each, patients) for each in labels[mask].T]
        return cls(name, mask, len(np.unique(patients)), np.array(counts, dtype=np.int64).reshape(-1, 4))

    @property
    def films(self) -> int:
        """How many."""
        return int(self.mask.sum())

    @property
    def tells(self) -> NDArray[np.bool_]:
        """Of which classes there are enough patients with and without, [classes]."""
        return np.asarray((self.counts[:, 2:] >= FEWEST_PATIENTS).all(axis=1))

    def of_classes(self) -> list[tuple[int, int, int, int]]:
        """The counts, a row a class."""
        return [(positives, known, with_it, without) for positives, known, with_it, without in self.counts.tolist()]

    def rankings(self, scores: Floats, labels: Floats) -> list[Ranking]:
        """Of each class, from scores and labels [films, classes] of the whole set."""
        ours = np.where(self.mask[:, None], labels, np.nan)
        return [Ranking.of(*each) for each in zip(scores.T, ours.T, strict=True)]


def _count(labels: Floats, patients: NDArray[np.intp]) -> tuple[int, int, int, int]:
    positive, known = labels > 0.5, ~np.isnan(labels)
    with_it, without = (len(np.unique(patients[each])) for each in (positive, known & ~positive))
    return int(positive.sum()), int(known.sum()), with_it, without
