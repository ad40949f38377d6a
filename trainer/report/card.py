"""The model card of a run (Mitchell et al., 2019): its use, what it was trained on, what it is worth, its limits."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainer.config import EvaluateConfig
from trainer.data.store.store import Store
from trainer.metrics.estimate import Estimate
from trainer.metrics.thresholds import choose
from trainer.report.card_markdown import markdown
from trainer.report.facts import RunFacts, SetFacts
from trainer.report.people import scores_by_group
from trainer.report.scores_folder import SplitScores

MARKDOWN, JSON = "card.md", "card.json"

FEW_POSITIVES = 30
"""A class with fewer positive films in a scored set is named among the limits."""

INTENDED_USE = (
    "Research on frontal chest films: to compare training methods, to sort films for further reading by people, "
    "to begin other networks from."
)
NOT_FOR = (
    "diagnosis, triage or any decision about a patient: it is no medical device, no authority has cleared it, and no "
    "radiologist has checked what it says",
    "films other than frontal ones of the chest, or of a kind that is not in the training set",
    "its probabilities read as risks of a disease: they are calibrated to the training set's labels at best",
)
_LIMITS = (
    "The labels are those of the catalog. Where they are ChestX-ray14's or CheXpert's own, they were mined from the "
    "text of reports, and a good part of them is wrong; scores against them say how well the network agrees with them.",
    "The sets that it was scored on come from where the training films come from. At another hospital, with other "
    "devices and another prevalence, expect it to be worse, and the thresholds to be off.",
    "What it has learnt may be what stands beside a finding (a drain, a portable device, a text on the film).",
)


@dataclass(frozen=True)
class Card:
    """Plain values, by name; JSON and Markdown say the same."""

    values: Mapping[str, Any]

    def json(self) -> bytes:
        """For programs."""
        return f"{json.dumps(self.values, indent=1)}\n".encode()

    def markdown(self) -> bytes:
        """For people."""
        return markdown(self.values).encode()

    def write(self, out: Store) -> None:
        """Both, into a store."""
        out.write(JSON, self.json())
        out.write(MARKDOWN, self.markdown())


def card(facts: RunFacts) -> Card:
    """The card of a finished run; a number that is not defined is None. Raises DataError if a score is NaN."""
    train = facts.config["train"]
    return Card(
        {
            "name": f"{facts.config['model']['name']} on {facts.labels}",
            "run": facts.where,
            "checkpoint": facts.checkpoint.mark.folder,
            "program": f"cxr-train {facts.program}",
            "intended_use": INTENDED_USE,
            "not_for": list(NOT_FOR),
            "model": {
                **{key: facts.config["model"][key] for key in ("name", "layout", "channels", "weights")},
                "image_size": facts.image_size,
                "labels": facts.labels,
                "classes": list(facts.classes),
            },
            "training": {
                "steps": facts.steps,
                "epochs": facts.epochs,
                "stopped_early": facts.stopped_early,
                "checkpoint_epoch": facts.checkpoint.epoch,
                "checkpoint_step": facts.checkpoint.mark.step,
                "global_batch_size": train["global_batch_size"],
                "seed": train["seed"],
                "best_validation_auroc": facts.best_validation_auroc,
            },
            "data": {split: _data(each) for split, each in facts.sets.items()},
            "metrics": {split: _metrics(each, facts.classes) for split, each in facts.scores.items()},
            "groups": _groups(facts),
            "thresholds": _thresholds(facts),
            "limits": [*_LIMITS, *_own_limits(facts)],
            "environment": dict(facts.environment),
        }
    )


def _data(found: SetFacts) -> dict[str, Any]:
    """A set by its hash; where it is no longer there, why nothing more is known."""
    if found.manifest is None:
        return {"sha256": found.digest, "unknown": found.why}
    manifest = found.manifest
    return {
        "sha256": found.digest,
        "films": manifest.films,
        "patients": manifest.patients,
        "image": manifest.image.model_dump(),
        "made": manifest.made.model_dump(),
        "classes": {name: counts.model_dump() for name, counts in manifest.counts.items()},
    }


def _metrics(found: SplitScores, classes: tuple[str, ...]) -> dict[str, Any]:
    scores = found.scores
    return {
        "sha256": found.digest,
        "films": scores.films,
        "patients": scores.patients,
        "confidence": scores.confidence,
        "resamples_of_patients": scores.resamples,
        "at_specificity": scores.at_specificity,
        "at_sensitivity": scores.at_sensitivity,
        "mean_auroc": _estimate(scores.mean_auroc),
        "mean_over": [classes[each] for each in scores.mean_over],
        "without": [classes[each] for each in scores.left_out],
        "classes": {
            name: {
                "positives": each.positives,
                "known": each.known,
                "auroc": _estimate(each.auroc),
                "average_precision": _estimate(each.average_precision),
                "sensitivity": _estimate(each.sensitivity),
                "specificity": _estimate(each.specificity),
            }
            for name, each in zip(classes, scores.classes, strict=True)
        },
    }


def _groups(facts: RunFacts) -> dict[str, Any]:
    """Mean AUROC by sex, age band and view on the test set, else on validation; of what its films tell."""
    found = facts.scores.get("test") or facts.scores["validation"]
    scores = found.scores
    drawn_as = EvaluateConfig(resamples=scores.resamples, confidence=scores.confidence, seed=scores.seed)
    by_trait = scores_by_group(found.films, drawn_as, scores.mean_over)
    return {
        trait: {
            "split": found.split,
            "films_unknown": groups.films_unknown,
            "reference": groups.reference,
            "mean_over": [facts.classes[each] for each in groups.mean_over],
            "groups": {
                each.name: {
                    "films": each.films,
                    "patients": each.patients,
                    "mean_auroc": each.mean_auroc and _estimate(each.mean_auroc),
                    "gap": each.gap and _estimate(each.gap),
                    "too_few": each.too_few,
                }
                for each in groups.groups
            },
        }
        for trait, groups in by_trait.items()
        if groups.groups
    }


def _thresholds(facts: RunFacts) -> dict[str, dict[str, float | None]]:
    """By rule and class, chosen on validation; none where that was not scored."""
    found = facts.scores.get("validation")
    if found is None:
        return {}
    chosen = choose(found.films.scores, found.films.labels, sensitivity=found.scores.at_sensitivity)
    return {
        rule: {name: _number(value) for name, value in zip(facts.classes, values.tolist(), strict=True)}
        for rule, values in (("youden", chosen.youden), ("at_sensitivity", chosen.at_sensitivity))
    }


def _own_limits(facts: RunFacts) -> list[str]:
    """What the numbers themselves forbid to conclude."""
    limits = []
    for split, found in facts.scores.items():
        few = [
            f"{name} ({each.positives})"
            for name, each in zip(facts.classes, found.scores.classes, strict=True)
            if each.positives < FEW_POSITIVES
        ]
        if few:
            limits.append(f"Fewer than {FEW_POSITIVES} positive films of the {split} set: {', '.join(few)}.")
    if not _groups_known(facts):
        limits.append("Nobody knows how it does by sex, age or view: the scored sets do not tell them.")
    if "test" not in facts.scores:
        limits.append("It was not scored on a test set: the validation set also chose the checkpoint.")
    return limits


def _groups_known(facts: RunFacts) -> bool:
    return any(any(column) for each in facts.scores.values() for column in each.films.others.values())


def _estimate(found: Estimate) -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(found).items() if name != "resamples"}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
