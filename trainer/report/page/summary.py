"""The page's first words: what was reached, on which films, and what others reached."""

import math

from trainer.report.facts import RunFacts
from trainer.report.page.blocks import Block, Facts, Paragraph, Part, Table
from trainer.report.page.words import counted, number, percent, readable, with_interval
from trainer.report.published import CHESTXRAY14, OFFICIAL_TEST_FILMS
from trainer.report.scores_folder import SplitScores

RESEARCH_ONLY = "For research only. This is not a medical device, and nothing here is meant for diagnosis."
_NIH_LABELS = ("nih14", "nih15")


def lead(shown: SplitScores, *, thresholds: bool) -> tuple[Paragraph, ...]:
    """The result in a sentence, and what to beware of; ``thresholds``: whether some were chosen on validation."""
    scores = shown.scores
    reached = (
        f"On {counted(scores.films, 'film')} of {counted(scores.patients, 'patient')} of the {shown.split} set, the "
        f"mean AUROC over {counted(len(scores.mean_over), 'finding')} is {with_interval(scores.mean_auroc)}."
    )
    if scores.resamples:
        reached += f" In brackets: {percent(scores.confidence)} intervals over patients."
    paragraphs = [Paragraph(reached), Paragraph(RESEARCH_ONLY, "warning")]
    if shown.split == "validation":
        paragraphs.append(Paragraph(_OPTIMISTIC, "warning"))
    if not thresholds:
        paragraphs.append(Paragraph(_no_thresholds(shown.split), "warning"))
    return tuple(paragraphs)


_OPTIMISTIC = (
    "These are the validation films, which also chose the checkpoint: expect lower scores on others. To report on test "
    "films, run 'cxr-train evaluate --set evaluate.split=test'."
)


def _no_thresholds(shown: str) -> str:
    begin = "No thresholds and no temperatures are shown: they must be chosen on films that are not reported on"
    if shown == "validation":
        return f"{begin}, and only the validation films were scored."
    cure = "run 'cxr-train evaluate --set evaluate.split=validation'"
    return f"{begin}, and this checkpoint was not scored on validation films. For them, {cure} and make the page again."


def in_short(facts: RunFacts, shown: SplitScores) -> Part:
    """The run by its main facts."""
    train, model = facts.config["train"], facts.config["model"]
    stopped = ", stopped early" if facts.stopped_early else ""
    rows = (
        ("Network", f"{model['name']}, films of {facts.image_size} x {facts.image_size} pixels"),
        ("Labels", f"{facts.labels}, {counted(len(facts.classes), 'class', 'classes')}"),
        ("Trained", f"{facts.epochs} of {counted(train['epochs'], 'epoch')}, {counted(facts.steps, 'step')}{stopped}"),
        ("Checkpoint shown", facts.checkpoint.mark.folder),
        *_extremes(facts, shown),
        ("Program", f"cxr-train {facts.program}"),
    )
    blocks: tuple[Block, ...] = (Facts(rows),)
    if facts.labels in _NIH_LABELS:
        blocks += _published(shown)
    return Part("in-short", "In short", blocks)


def _extremes(facts: RunFacts, shown: SplitScores) -> tuple[tuple[str, str], ...]:
    """The findings that are told best and worst."""
    known = [(shown.scores.classes[each].auroc.value, facts.classes[each]) for each in shown.scores.mean_over]
    if not known:
        return ()
    best, worst = max(known), min(known)
    return tuple(
        (f"Told {how}", f"{readable(name)}, AUROC {number(value)}")
        for how, (value, name) in (("best", best), ("worst", worst))
    )


def _published(shown: SplitScores) -> tuple[Block, ...]:
    scores = shown.scores
    own = "-" if math.isnan(scores.mean_auroc.value) else with_interval(scores.mean_auroc)
    rows = [(each.work, f"{each.mean_auroc:.3f}", str(each.classes), each.split, each.differs) for each in CHESTXRAY14]
    films = f"{scores.films:,} films"
    rows.insert(0, ("This run", own, str(len(scores.mean_over)), f"{shown.split}, {films}", ""))
    beware = (
        f"ChestX-ray14's official test set has {OFFICIAL_TEST_FILMS:,} films; the set shown here has {scores.films:,}. "
        "Numbers of different films, classes or splits do not rank methods."
    )
    heading = ("Work", "Mean AUROC", "Findings", "Films", "What differs")
    return (
        Table("Published results on ChestX-ray14, for orientation", heading, tuple(rows), texts=True),
        Paragraph(beware, "note"),
    )
