"""One class after another: its curves, and the films it is most wrong about."""

from collections.abc import Mapping

import numpy as np

from trainer.labels import NO_FINDING
from trainer.metrics.bootstrap import ClassScore
from trainer.metrics.thresholds import Confusion
from trainer.report.analysis import Analysis, ClassAnalysis
from trainer.report.class_plots import Mark, precision_recall_figure, reliability_figure, roc_figure
from trainer.report.film_pictures import legend
from trainer.report.page.blocks import Block, Paragraph, Part, Picture, Pictures
from trainer.report.page.drawn import drawn
from trainer.report.page.words import number, percent, readable, with_interval
from trainer.report.scores_folder import SplitScores

Shown = Mapping[str, tuple[Block, ...]]
"""By class: its worst misses and false alarms."""


def class_parts(analysis: Analysis, shown: SplitScores, classes: tuple[str, ...], cases: Shown) -> Part:
    """Curves and films of every class, findings first."""
    order = sorted(range(len(classes)), key=lambda each: classes[each] == NO_FINDING)
    parts = [
        _class_part(classes[each], analysis.classes[each], shown, shown.scores.classes[each], cases) for each in order
    ]
    words: tuple[Block, ...] = (Paragraph(_WORDS),)
    if any(cases.values()):
        words += (Paragraph(_HEAT), Pictures((legend(),)))
    return Part("classes", "Class by class", words, tuple(parts))


_WORDS = "Curves of the films shown. Marks on them are the thresholds that were chosen on validation films."
_HEAT = (
    "Films are those the network is most wrong about, beside the same film under Grad-CAM: the places that raised the "
    "score of this class. It says what the network looked at, not what is there; a film in which nothing raised the "
    "score stays gray. Labels come from the set, and may be wrong themselves."
)


def _class_part(name: str, found: ClassAnalysis, shown: SplitScores, score: ClassScore, cases: Shown) -> Part:
    blocks: list[Block] = [Paragraph(_in_words(score, shown.split))]
    pictures = _pictures(readable(name), found, score, percent(shown.scores.at_sensitivity))
    if pictures:
        blocks.append(Pictures(pictures))
    return Part(f"class-{_anchor(name)}", readable(name), (*blocks, *cases.get(name, ())))


def _in_words(score: ClassScore, split: str) -> str:
    prevalence = score.positives / score.known if score.known else float("nan")
    films = f"{score.positives:,} of {score.known:,} {split} films of known label have it ({percent(prevalence)})."
    if not score.positives or score.positives == score.known:
        missing = "no film" if not score.positives else "every film"
        return f"{films} Because {missing} has it, there is no ROC curve, and no AUROC."
    return f"{films} AUROC {with_interval(score.auroc)}, average precision {with_interval(score.average_precision)}."


def _pictures(name: str, found: ClassAnalysis, score: ClassScore, aim: str) -> tuple[Picture, ...]:
    named = (("Youden", found.youden), (f"{aim} sensitivity", found.at_sensitivity))
    marks = [_mark(rule, each) for rule, each in named if each]
    at = "".join(
        f" The threshold for {each.name} gives sensitivity {number(each.sensitivity, 2)} and specificity "
        f"{number(each.specificity, 2)}."
        for each in marks
    )
    pictures = []
    if found.points.positives and found.points.negatives:
        alt = f"ROC curve of {name}: AUROC {with_interval(score.auroc)}.{at}"
        pictures.append(drawn(roc_figure(found.points, marks), alt))
    if found.points.positives:
        alt = f"Precision over recall of {name}: average precision {with_interval(score.average_precision)}."
        pictures.append(drawn(precision_recall_figure(found.points, marks), alt))
    if found.calibration:
        pictures.append(drawn(reliability_figure(found.calibration, found.with_temperature), _reliability(name, found)))
    return tuple(pictures)


def _reliability(name: str, found: ClassAnalysis) -> str:
    """The curve in numbers."""
    before, after = found.calibration, found.with_temperature
    points = ", ".join(f"{each.score:.2f}: {each.observed.value:.2f}" for each in before.bins) if before else ""
    error = f"calibration error {number(before.error.value)}" if before else ""
    warmed = f", with temperature {number(after.error.value)}" if after else ""
    return f"Reliability curve of {name}: {error}{warmed}. Part with the finding by mean score: {points}."


def _mark(rule: str, found: Confusion) -> Mark:
    precision = found.positive_predictive_value.value
    return Mark(rule, found.sensitivity.value, found.specificity.value, 0.0 if np.isnan(precision) else precision)


def _anchor(name: str) -> str:
    return "".join(each if each.isalnum() else "-" for each in name.lower())
