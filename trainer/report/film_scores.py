"""``films.csv`` of an evaluated set: every film's scores and labels, and what else is known of it."""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

FILE = "films.csv"

_FILM, _PATIENT, _SCORE, _LABEL = "film", "patient", "score ", "label "
_CURE = "run 'cxr-train evaluate' again"


@dataclass(frozen=True)
class FilmScores:
    """The films of a set in its order, with columns for the classes in the run's order."""

    films: tuple[str, ...]
    classes: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    """Probabilities [films, classes]."""
    labels: npt.NDArray[np.float32]
    """[films, classes]: 1, 0, or NaN: unknown."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The other columns by name, a text a film, blank where it is not known: what there is depends on the set."""
    patients: tuple[str, ...] = field(kw_only=True)
    """Whose each film is: the keyed hash that the set holds, never an identifier."""

    def to_csv(self) -> bytes:
        """A row a film; scores with as many digits as float32 has, so that they come back; unknown labels blank."""
        stream = io.StringIO(newline="")
        rows = csv.writer(stream)
        of_classes = (f"{kind}{each}" for kind in (_SCORE, _LABEL) for each in self.classes)
        rows.writerow([_FILM, _PATIENT, *self.others, *of_classes])
        columns = (self.films, self.patients, self.scores.tolist(), self.labels.tolist(), *self.others.values())
        for film, patient, scores, labels, *others in zip(*columns, strict=True):
            known = ("" if math.isnan(each) else f"{each:g}" for each in labels)
            rows.writerow([film, patient, *others, *(f"{each:.9g}" for each in scores), *known])
        return stream.getvalue().encode()


def parse_film_scores(content: bytes, name: str) -> FilmScores:
    """What ``to_csv`` gave, from a file called ``name``.

    Raises DataError that names it if it is cut off or no such table.
    """
    try:
        heading, *rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        columns = dict(zip(heading, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(heading, ())
        classes = tuple(each.removeprefix(_SCORE) for each in heading if each.startswith(_SCORE))
        return FilmScores(
            films=columns[_FILM],
            classes=classes,
            scores=_numbers([columns[f"{_SCORE}{each}"] for each in classes]),
            labels=_numbers([columns[f"{_LABEL}{each}"] for each in classes]),
            others={each: column for each, column in columns.items() if _is_other(each)},
            patients=columns[_PATIENT],
        )
    except (ValueError, KeyError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DataError("scores", name, f"is not what 'cxr-train evaluate' writes ({reason})", _CURE) from error


def _is_other(column: str) -> bool:
    return column not in (_FILM, _PATIENT) and not column.startswith((_SCORE, _LABEL))


def _numbers(columns: list[tuple[str, ...]]) -> npt.NDArray[np.float32]:
    """[rows, columns]; a blank is NaN."""
    numbers = [[float(each) if each else np.nan for each in column] for column in columns]
    return np.asarray(numbers, dtype=np.float32).T
