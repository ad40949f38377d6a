"""What is computed for a report: all that is chosen comes from validation, all that is told is of the films shown."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.metrics.bootstrap import Scores
from trainer.metrics.calibration import Calibration, calibration
from trainer.metrics.cooccurrence import Cooccurrence, cooccurrence
from trainer.metrics.operating import OperatingPoints, operating_points
from trainer.metrics.temperature import fit_temperatures, tempered
from trainer.metrics.thresholds import Chosen, Confusion, choose, confusions
from trainer.report.film_scores import FilmScores

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FromValidation:
    """What validation scores decide, each [classes]: NaN where a class had no positives or no negatives there."""

    thresholds: Chosen
    temperatures: Floats


@dataclass(frozen=True)
class ClassAnalysis:
    """One class on the films shown; None where it is not defined, or nothing was chosen for it."""

    points: OperatingPoints
    calibration: Calibration | None
    with_temperature: Calibration | None
    youden: Confusion | None
    at_sensitivity: Confusion | None


@dataclass(frozen=True)
class Analysis:
    """Of the films shown; ``chosen`` is None without validation scores of other films."""

    classes: tuple[ClassAnalysis, ...]
    cooccurrence: Cooccurrence
    chosen: FromValidation | None


def choose_on(validation: FilmScores, at_sensitivity: float) -> FromValidation:
    """Thresholds, one that reaches ``at_sensitivity`` among them, and temperatures."""
    return FromValidation(
        choose(validation.scores, validation.labels, sensitivity=at_sensitivity),
        fit_temperatures(validation.scores, validation.labels),
    )


def analyse(films: FilmScores, scores: Scores, chosen: FromValidation | None, *, bins: int) -> Analysis:
    """Everything about the films, with intervals over as many resampled patients, and as sure, as their ``scores``.

    ``bins`` are those of the calibration error.
    """
    patients = np.asarray(films.patients)
    resampled: Any = {"resamples": scores.resamples, "confidence": scores.confidence, "seed": scores.seed}

    def reliability(of: Floats) -> tuple[Calibration | None, ...]:
        return calibration(of, films.labels, patients, bins=bins, **resampled)

    def called(thresholds: Floats) -> tuple[Confusion | None, ...]:
        return confusions(thresholds, films.scores, films.labels, patients, **resampled)

    after: tuple[Calibration | None, ...] = (None,) * len(films.classes)
    youden: tuple[Confusion | None, ...] = (None,) * len(films.classes)
    sensitive = youden
    if chosen:
        youden, sensitive = called(chosen.thresholds.youden), called(chosen.thresholds.at_sensitivity)
        after = reliability(tempered(films.scores, chosen.temperatures))
        after = tuple(None if np.isnan(t) else each for t, each in zip(chosen.temperatures, after, strict=True))
    points = (operating_points(films.scores[:, each], films.labels[:, each]) for each in range(len(films.classes)))
    columns = zip(points, reliability(films.scores.astype(np.float64)), after, youden, sensitive, strict=True)
    return Analysis(tuple(ClassAnalysis(*each) for each in columns), cooccurrence(films.labels), chosen)
