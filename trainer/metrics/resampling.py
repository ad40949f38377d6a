"""Patients drawn with replacement, since films of one patient are not independent: how often each film counts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.estimate import Floats

BLOCK_WEIGHTS = 1 << 17
"""Weights (resamples times films) held at once: 1 MiB, so that a block stays in a core's cache."""


@dataclass(frozen=True)
class Resampling:
    """The draws of one seed: the same for every score of the same films, so that differences can be paired."""

    patient_of_film: NDArray[np.intp]
    """Whose film it is: indices [films], below ``patients``."""
    patients: int
    resamples: int
    seed: int

    @classmethod
    def of(cls, patients: NDArray[Any], *, resamples: int, seed: int) -> "Resampling":
        """Of films whose patients are integers or strings [films]."""
        names, patient_of_film = np.unique(patients, return_inverse=True)
        return cls(patient_of_film, len(names), resamples, seed)

    def weights(self) -> Iterator[NDArray[np.float64]]:
        """How often each film counts, float64 [block of resamples, films]: as often as its patient was drawn."""
        for counts in self._counts(len(self.patient_of_film)):
            yield counts.take(self.patient_of_film, axis=1)

    def scored(
        self, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A score of all films, float64 [...], and of each resample, float64 [resamples, ...].

        Args:
            score: gives float64 [weightings, ...] for weights float64 [weightings, films].
        """
        point = score(np.ones((1, len(self.patient_of_film))))
        return point[0], np.concatenate([point[:0], *(score(block) for block in self.weights())])

    def sums(self, columns: Floats) -> NDArray[np.float64]:
        """Sums of columns [films, columns] over the films of each resample, float64 [resamples, columns].

        Summed a patient first, so that a resample costs patients times columns, and no film is looked at again.
        """
        of_patient = np.zeros((self.patients, columns.shape[1]))
        np.add.at(of_patient, self.patient_of_film, columns)
        drawn = [counts @ of_patient for counts in self._counts(self.patients)]
        return np.concatenate([np.empty((0, columns.shape[1])), *drawn])

    def _counts(self, width: int) -> Iterator[NDArray[np.float64]]:
        """How often each patient was drawn, float64 [block, patients], in blocks that suit rows of ``width``."""
        random, patients = np.random.default_rng(self.seed), self.patients
        block = max(1, BLOCK_WEIGHTS // max(1, width))
        for start in range(0, self.resamples, block):
            drawn = [random.integers(patients, size=patients) for _ in range(min(block, self.resamples - start))]
            yield np.stack([np.bincount(each, minlength=patients) for each in drawn]).astype(np.float64)
