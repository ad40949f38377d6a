"""Sex, age and view of an evaluated set's films: as columns of ``films.csv``, and the scores of their groups."""

from collections.abc import Iterable, Sequence

import numpy as np

from trainer.config import TRAITS, EvaluateConfig, Trait
from trainer.demographics import GROUPS, Demographics, parse_demographics
from trainer.metrics.subgroups import Groups, by_group
from trainer.report.film_scores import FilmScores


def people_columns(people: Iterable[Demographics]) -> dict[str, tuple[str, ...]]:
    """A text a film, blank where it is not known; the age in years."""
    texts = [(each.sex, "" if each.age is None else str(each.age), each.view) for each in people]
    return {trait: tuple(text[number] for text in texts) for number, trait in enumerate(TRAITS)}


def people_of(films: FilmScores) -> list[Demographics]:
    """Of every film; what has no column is unknown."""
    untold = ("",) * len(films.films)
    return list(map(parse_demographics, *(films.others.get(trait, untold) for trait in TRAITS)))


def scores_by_group(films: FilmScores, config: EvaluateConfig, mean_over: Sequence[int]) -> dict[Trait, Groups]:
    """AUROC by sex, age band and view, with ``config``'s intervals; means are taken from the columns ``mean_over``."""
    people, patients = people_of(films), np.asarray(films.patients)
    return {
        trait: by_group(
            films.scores,
            films.labels,
            patients,
            [person.group(trait) for person in people],
            GROUPS[trait],
            resamples=config.resamples,
            confidence=config.confidence,
            seed=config.seed,
            mean_over=mean_over,
        )
        for trait in TRAITS
    }
