"""How the run came about: its course, its films, its settings, and how the page's numbers were made."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from trainer.data.shard.manifest import ClassCounts
from trainer.report.curves import Row, draw_auroc, draw_loss
from trainer.report.drawing import new_figure
from trainer.report.facts import RunFacts, SetFacts
from trainer.report.page.blocks import Block, Facts, Fold, Paragraph, Part, Picture, Pictures, Table
from trainer.report.page.drawn import drawn
from trainer.report.page.words import number, percent, readable


def course_part(history: Sequence[Row]) -> Part:
    """Loss and validation AUROC over the run."""
    blocks: tuple[Block, ...] = (Paragraph("The run kept no history."),)
    if history:
        blocks = (Pictures((_loss(history), _auroc(history))),)
    return Part("course", "The course of training", blocks)


def _loss(history: Sequence[Row]) -> Picture:
    figure = new_figure(6, 4.4)
    draw_loss(figure.subplots(), history)
    epochs = [f"epoch {row['epoch']}: {_both(row)}" for row in history if row["kind"] == "epoch"]
    return drawn(figure, f"Training and validation loss. {'; '.join(epochs)}.")


def _both(row: Row) -> str:
    known = ((name, row.get(key)) for name, key in (("training", "loss"), ("validation", "validation_loss")))
    return ", ".join(f"{name} {value:.3f}" for name, value in known if value is not None)


def _auroc(history: Sequence[Row]) -> Picture:
    figure = new_figure(6, 4.4)
    draw_auroc(figure.subplots(), history)
    known = [row for row in history if row.get("validation_auroc") is not None and row["kind"] == "epoch"]
    points = ", ".join(f"epoch {row['epoch']}: {row['validation_auroc']:.3f}" for row in known)
    return drawn(figure, f"Mean validation AUROC over the epochs. {points or 'It was never validated'}.")


def data_part(facts: RunFacts) -> Part:
    """The sets: where they are, how large, their hashes, and films of each class."""
    sets = tuple(facts.sets.values())
    heading = ("Set", "Films", "Patients", "Where", "SHA-256 of its manifest")
    rows = tuple(_set_row(each) for each in sets)
    counts = tuple((readable(name), *(_counts(each, name) for each in sets)) for name in facts.classes)
    blocks = [
        Table("Films, split by patient; the manifest holds the hashes of all else", heading, rows, texts=True),
        Table("Films with each class / known, and prevalence", ("Class", *(each.split for each in sets)), counts),
    ]
    missing = [Paragraph(f"The {each.split} set could not be read: {each.why}", "warning") for each in sets if each.why]
    return Part("films", "Films", (*missing, *blocks))


def _set_row(found: SetFacts) -> tuple[str, ...]:
    manifest = found.manifest
    films, patients = (f"{manifest.films:,}", f"{manifest.patients:,}") if manifest else ("?", "?")
    return found.split, films, patients, found.where, found.digest


def _counts(found: SetFacts, name: str) -> str:
    counts: ClassCounts | None = found.manifest.counts.get(name) if found.manifest else None
    if counts is None:
        return "?"
    known = counts.positive + counts.negative
    prevalence = f" ({percent(counts.prevalence)})" if counts.prevalence is not None else ""
    return f"{counts.positive:,} / {known:,}{prevalence}"


def settings_part(facts: RunFacts) -> Part:
    """All that the run was trained with."""
    environment = tuple(facts.environment.items())
    return Part(
        "settings",
        "Settings and environment",
        (
            Facts((("Program", f"cxr-train {facts.program}"), *environment)),
            Fold("All settings, as trained", _yaml(facts.config)),
        ),
    )


def _yaml(config: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(config), sort_keys=False, width=100)


def methods_part(facts: RunFacts, confidence: float, resamples: int, seed: int) -> Part:
    """How the numbers of the page were made."""
    best = "" if facts.best_validation_auroc is None else f" ({number(facts.best_validation_auroc)})"
    intervals = (
        f"Intervals are the {percent(confidence)} percentile intervals of {resamples:,} resamples of patients, drawn "
        f"with replacement (seed {seed}); films of one patient stay together. They tell the doubt that comes of these "
        "films, not that of training again."
    )
    words = (
        intervals if resamples else "No intervals were asked for (evaluate.resamples=0).",
        f"Scores are probabilities in float32. The checkpoint is the one that was scored; the best mean AUROC on "
        f"validation{best} chooses it unless evaluate.checkpoint says otherwise.",
        "Films whose label for a class is unknown are left out for that class.",
        "Thresholds and temperatures are chosen on validation films alone. Calibration bins hold equally many films.",
        "Grad-CAM (Selvaraju et al., 2017) weights the last feature maps that are fine enough by their mean gradient, "
        "and keeps what raises the logit.",
    )
    return Part("methods", "How these numbers were made", tuple(Paragraph(each) for each in words))
