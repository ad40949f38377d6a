"""Tables of scores: areas, operating points, calibration, and what thresholds call."""

from collections.abc import Sequence

import numpy as np

from trainer.labels import NO_FINDING
from trainer.metrics.bootstrap import ClassScore
from trainer.metrics.thresholds import Confusion
from trainer.report.analysis import Analysis
from trainer.report.page.blocks import Paragraph, Part, Table
from trainer.report.page.words import number, percent, readable, with_interval
from trainer.report.scores_folder import SplitScores

Classes = Sequence[str]


def class_scores(shown: SplitScores, classes: Classes) -> Part:
    """AUROC, average precision and operating points of each class, their mean last."""
    scores = shown.scores
    specificity, sensitivity = percent(scores.at_specificity), percent(scores.at_sensitivity)
    heading = (
        "Class",
        "With / known",
        "AUROC",
        "Average precision",
        f"Sensitivity at {specificity} specificity",
        f"Specificity at {sensitivity} sensitivity",
    )
    rows = [_score_row(*each) for each in zip(classes, scores.classes, strict=True)]
    findings = [row for row in rows if row[0] != NO_FINDING]
    mean = (f"Mean of {len(scores.mean_over)} findings", "", with_interval(scores.mean_auroc), "", "", "")
    others = [row for row in rows if row[0] == NO_FINDING]
    blocks = [Table(f"Scores of each class on the {shown.split} set", heading, (*findings, mean, *others))]
    notes = [Paragraph(_HOW, "note")]
    if scores.left_out:
        without = ", ".join(readable(classes[each]) for each in scores.left_out)
        notes.append(Paragraph(f"Not in the mean, for want of positive or negative films: {without}.", "note"))
    return Part("scores", "Scores", (*blocks, *notes))


_HOW = (
    "AUROC is the chance that a film with the finding scores above one without; 0.5 is chance. Average precision is to "
    "be held against the prevalence. The last two columns take the best threshold on these very films: they describe "
    "the curve, and are no thresholds to use."
)


def _score_row(name: str, score: ClassScore) -> tuple[str, ...]:
    films = f"{score.positives:,} / {score.known:,}"
    if np.isnan(score.auroc.value):
        missing = "no negatives" if score.positives else "no positives"
        return readable(name), films, missing, "", "", ""
    estimates = (score.auroc, score.average_precision, score.sensitivity, score.specificity)
    return readable(name), films, *(with_interval(each) for each in estimates)


def calibration_part(analysis: Analysis, classes: Classes) -> Part:
    """Brier score and calibration error of each class, as scored and with the temperature chosen on validation."""
    heading: tuple[str, ...] = ("Class", "Brier score", "Calibration error")
    if analysis.chosen:
        heading += ("Temperature", "Brier score with it", "Calibration error with it")
    rows = [_calibration_row(analysis, each, name) for each, name in enumerate(classes)]
    words = [Paragraph(_CALIBRATION, "note")]
    if analysis.chosen:
        words.append(Paragraph(_TEMPERATURE, "note"))
    return Part("calibration", "Calibration", (Table("Calibration of each class", heading, tuple(rows)), *words))


_CALIBRATION = (
    "A calibrated 0.3 means that three of ten such films have the finding. Brier score: the mean squared distance of "
    "score and truth. Calibration error: the mean distance in bins of equally many films; with few films it is above 0 "
    "even for a calibrated score. Less is better in both."
)
_TEMPERATURE = (
    "A temperature divides a class's logits; above 1 the class was overconfident. It was fitted on validation films "
    "only, changes no ranking, and so no AUROC."
)


def _calibration_row(analysis: Analysis, place: int, name: str) -> tuple[str, ...]:
    found = analysis.classes[place]
    before = [each for each in (found.calibration,) if each]
    cells = [readable(name), *(with_interval(each) for one in before for each in (one.brier, one.error))]
    if not before:
        cells += ["no known label", ""]
    if analysis.chosen:
        after = found.with_temperature
        cells += [
            number(float(analysis.chosen.temperatures[place]), 2),
            *((with_interval(after.brier), with_interval(after.error)) if after else ("", "")),
        ]
    return tuple(cells)


def threshold_part(analysis: Analysis, shown: SplitScores, classes: Classes) -> Part | None:
    """What thresholds of validation call on the films shown; None where none were chosen."""
    if not analysis.chosen:
        return None
    youden = tuple(_confusion_row(*each) for each in zip(classes, (c.youden for c in analysis.classes), strict=True))
    fixed = tuple(
        _confusion_row(*each) for each in zip(classes, (c.at_sensitivity for c in analysis.classes), strict=True)
    )
    aim = percent(shown.scores.at_sensitivity)
    return Part(
        "thresholds",
        "Thresholds",
        (
            Paragraph(f"Chosen on validation films only, then applied to these {shown.split} films."),
            Table("At the largest sensitivity + specificity on validation (Youden)", _COUNTS, youden),
            Table(f"At the highest threshold with {aim} sensitivity on validation", _COUNTS, fixed),
            Paragraph(_PREDICTIVE, "note"),
        ),
    )


_COUNTS = (
    "Class",
    "Threshold",
    "True positives",
    "False negatives",
    "False positives",
    "True negatives",
    "Sensitivity",
    "Specificity",
    "Positive predictive value",
    "Negative predictive value",
)
_PREDICTIVE = (
    "A film is called positive if its score is the threshold or more. None: of the validation films none has the "
    "finding, or all have. Intervals hold the threshold fixed. Predictive values hold for the prevalence of this set "
    "alone."
)


def _confusion_row(name: str, found: Confusion | None) -> tuple[str, ...]:
    if found is None:
        return readable(name), "none", *[""] * (len(_COUNTS) - 2)
    counts = (found.true_positives, found.false_negatives, found.false_positives, found.true_negatives)
    rates = (
        found.sensitivity,
        found.specificity,
        found.positive_predictive_value,
        found.negative_predictive_value,
    )
    return (
        readable(name),
        f"{found.threshold:.3g}",
        *(f"{each:,}" for each in counts),
        *(with_interval(each, 2) for each in rates),
    )
