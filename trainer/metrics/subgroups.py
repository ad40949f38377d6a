"""AUROC by group of films, as of a sex, an age band or a view: with intervals by patient, and no number for too few."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.metrics.auroc import Ranking, aurocs
from trainer.metrics.cohort import FEWEST_PATIENTS, Cohort
from trainer.metrics.estimate import Estimate, Floats
from trainer.metrics.resampling import Resampling


@dataclass(frozen=True)
class GroupClass:
    """One class in one group: films, patients by whether a film of theirs has it, and the score unless they are few."""

    positives: int
    known: int
    patients_with: int
    patients_without: int
    auroc: Estimate | None

    @property
    def too_few(self) -> str:
        """Why there is no number; blank where there is one."""
        if self.auroc:
            return ""
        return f"{self.patients_with} patients with, {self.patients_without} without; {FEWEST_PATIENTS} of each needed"


@dataclass(frozen=True)
class Group:
    """The films of one group, and the mean over its classes, None where ``too_few`` says why."""

    name: str
    films: int
    patients: int
    classes: tuple[GroupClass, ...]
    mean_auroc: Estimate | None
    """Over ``Groups.mean_over``: the means of all groups are of the same classes."""
    gap: Estimate | None
    """Its mean less that of the reference group, in the same resamples; None too for that group itself."""
    too_few: str


@dataclass(frozen=True)
class Groups:
    """The groups that have films, in the order in which they were named."""

    groups: tuple[Group, ...]
    reference: str
    """Of the groups with a mean, the one with the most patients; blank: none has a mean."""
    mean_over: tuple[int, ...]
    """Of the columns asked for, those that every group with a mean tells."""
    films_unknown: int
    """In none of the groups, and in no score here."""
    resamples: int
    confidence: float
    seed: int


def by_group(
    scores: Floats,
    labels: Floats,
    patients: NDArray[Any],
    groups: Sequence[str],
    names: Sequence[str],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    mean_over: Sequence[int],
) -> Groups:
    """Score each class in each group, with percentile intervals over resampled patients.

    A class is told in a group that has ``FEWEST_PATIENTS`` patients with it and as many without. A group has a mean if
    it tells at least half of the classes that its groups' films together do. Patients are drawn as in
    ``bootstrap.bootstrap``, once for all groups: one with films in two groups is drawn for both.

    Args:
        scores: float [films, classes].
        labels: float [films, classes], 1, 0, or NaN: unknown, masked.
        patients: [films], integers or strings.
        groups: of each film the name of its group, [films]; a film in none of ``names`` is left out.
        names: of the groups, in the order in which they are to be told.
        resamples: number drawn; 0: no intervals.
        confidence: of the intervals, between 0 and 1.
        seed: same seed, same intervals.
        mean_over: columns from which those of the mean are taken.

    Raises:
        DataError: a score of a film in a group is NaN.
    """
    of_film, resampling = np.asarray(groups, dtype=str), Resampling.of(patients, resamples=resamples, seed=seed)
    cohorts = [Cohort.of(name, of_film == name, labels, resampling) for name in names if name in of_film]
    grouped = Cohort.of("", np.isin(of_film, list(names)), labels, resampling)
    shared = _shared(cohorts, tuple(each for each in mean_over if grouped.tells[each]))
    areas = _areas([each.rankings(scores, labels) for each in cohorts], resampling)
    return Groups(
        groups=tuple(_group(cohort, areas, shared, number, confidence) for number, cohort in enumerate(cohorts)),
        reference="" if shared.reference is None else cohorts[shared.reference].name,
        mean_over=shared.classes,
        films_unknown=len(of_film) - grouped.films,
        resamples=resamples,
        confidence=confidence,
        seed=seed,
    )


@dataclass(frozen=True)
class _Shared:
    """What is compared: of which groups there is a mean, over which classes, and with which group; all by number."""

    candidates: int
    """Classes that a group may tell."""
    told: tuple[int, ...]
    """Of these, how many each group tells, [groups]."""
    groups: tuple[int, ...]
    classes: tuple[int, ...]
    reference: int | None

    def too_few(self, group: int) -> str:
        """Why a group has no mean; blank: it has one."""
        if group in self.groups:
            return ""
        enough = f"{FEWEST_PATIENTS} patients with and {FEWEST_PATIENTS} without"
        if not self.candidates:
            return f"no class has {enough}"
        if 2 * self.told[group] >= self.candidates:
            return "no class is told in all groups"
        return f"{self.told[group]} of {self.candidates} classes have {enough}; half are needed"


def _shared(cohorts: Sequence[Cohort], candidates: tuple[int, ...]) -> _Shared:
    told = tuple(int(each.tells[list(candidates)].sum()) for each in cohorts)
    large = [number for number, count in enumerate(told) if candidates and 2 * count >= len(candidates)]
    classes = tuple(each for each in candidates if large and all(cohorts[number].tells[each] for number in large))
    groups = tuple(large) if classes else ()
    reference = max(groups, key=lambda number: cohorts[number].patients, default=None)
    return _Shared(len(candidates), told, groups, classes, reference)


@dataclass(frozen=True)
class _Areas:
    """AUROC of each class in each group: float64 points [groups, classes], drawn [resamples, groups, classes]."""

    points: NDArray[np.float64]
    drawn: NDArray[np.float64]

    def estimate(self, group: int, class_: int, confidence: float) -> Estimate:
        return Estimate.of(self.points[group, class_], self.drawn[:, group, class_], confidence)

    def mean(self, group: int, classes: Sequence[int]) -> tuple[float, NDArray[np.float64]]:
        """The point, and draws [resamples], NaN where one of the classes has none."""
        return float(self.points[group, list(classes)].mean()), self.drawn[:, group, list(classes)].mean(axis=1)


def _areas(rankings: Sequence[Sequence[Ranking]], resampling: Resampling) -> _Areas:
    if not rankings:
        return _Areas(np.empty((0, 0)), np.empty((0, 0, 0)))
    return _Areas(*resampling.scored(lambda weights: aurocs(rankings, weights)))


def _group(cohort: Cohort, areas: _Areas, shared: _Shared, number: int, confidence: float) -> Group:
    mean = gap = None
    if number in shared.groups and shared.reference is not None:
        point, drawn = areas.mean(number, shared.classes)
        mean = Estimate.of(point, drawn, confidence)
        if number != shared.reference:
            base, base_drawn = areas.mean(shared.reference, shared.classes)
            gap = Estimate.of(point - base, drawn - base_drawn, confidence)
    classes = tuple(
        GroupClass(*counts, auroc=areas.estimate(number, class_, confidence) if cohort.tells[class_] else None)
        for class_, counts in enumerate(cohort.of_classes())
    )
    return Group(cohort.name, cohort.films, cohort.patients, classes, mean, gap, shared.too_few(number))
