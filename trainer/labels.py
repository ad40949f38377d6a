"""Label sets, the parsing of labels, and what becomes of an uncertain one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.config import UncertainPolicy
from trainer.errors import DataError, UsageError

UNCERTAIN = -1.0
"""CheXpert's mark for a finding that the radiologist could neither affirm nor exclude."""

NO_FINDING = "No Finding"


@dataclass(frozen=True)
class LabelSet:
    """The classes of a data set, in the order of the model's outputs."""

    name: str
    classes: tuple[str, ...]

    @property
    def findings(self) -> tuple[str, ...]:
        """The classes that are pathologies: all but ``No Finding``."""
        return tuple(name for name in self.classes if name != NO_FINDING)


NIH14 = LabelSet(
    "nih14",
    (
        "Atelectasis",
        "Cardiomegaly",
        "Consolidation",
        "Edema",
        "Effusion",
        "Emphysema",
        "Fibrosis",
        "Hernia",
        "Infiltration",
        "Mass",
        "Nodule",
        "Pleural_Thickening",
        "Pneumonia",
        "Pneumothorax",
    ),
)
NIH15 = LabelSet("nih15", (*NIH14.classes, NO_FINDING))
CHEXPERT14 = LabelSet(
    "chexpert14",
    (
        "No Finding",
        "Enlarged Cardiomediastinum",
        "Cardiomegaly",
        "Lung Opacity",
        "Lung Lesion",
        "Edema",
        "Consolidation",
        "Pneumonia",
        "Atelectasis",
        "Pneumothorax",
        "Pleural Effusion",
        "Pleural Other",
        "Fracture",
        "Support Devices",
    ),
)

LABEL_SETS: Mapping[str, LabelSet] = {each.name: each for each in (NIH15, NIH14, CHEXPERT14)}


ONE_FINDING: Mapping[str, str] = {"Pleural Effusion": "Effusion"}
"""Names that two sets give to one finding. Others that are near, as Nodule and Lung Lesion, are not the same."""


def label_set(name: str) -> LabelSet:
    """The label set of that name; raises UsageError that lists the known ones."""
    try:
        return LABEL_SETS[name]
    except KeyError:
        known = ", ".join(LABEL_SETS)
        raise UsageError("data.labels", name, "is not a label set", f"choose one of {known}") from None


def shared_classes(ours: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int]]:
    """Where the classes that both have stand in each, in the order of ours; by name, ``ONE_FINDING`` aside."""
    place = {ONE_FINDING.get(name, name): column for column, name in enumerate(theirs)}
    known = [ONE_FINDING.get(name, name) for name in ours]
    return [(column, place[name]) for column, name in enumerate(known) if name in place]


def parse_findings(text: str, labels: LabelSet, *, row: str) -> tuple[float, ...]:
    """Labels, float per class, from NIH's form ``Mass|Nodule``.

    ``No Finding`` is allowed in any set, as all zeros where the set has no such class.
    Raises DataError on a name that is not in the set.
    """
    names = [name.strip() for name in text.split("|")]
    for name in names:
        if name not in labels.classes and name != NO_FINDING:
            raise DataError(
                f"{row}: labels",
                name,
                f"is not a class of {labels.name}",
                "set data.labels to the set this catalog uses, or correct the row",
            )
    return tuple(float(name in names) for name in labels.classes)


def parse_mark(text: str, policy: UncertainPolicy, *, row: str) -> float:
    """One class's label from CheXpert's form: 1, 0, -1 (uncertain) or blank (not mentioned: 0).

    Returns 0.0, 1.0 or NaN (unknown: masked out of loss and score). Raises DataError on anything else.
    """
    marks = {"": 0.0, "0": 0.0, "0.0": 0.0, "1": 1.0, "1.0": 1.0, "-1": UNCERTAIN, "-1.0": UNCERTAIN}
    mark = marks.get(text.strip())
    if mark is None:
        raise DataError(row, text, "is not a label", "use 1, 0, -1 (uncertain) or blank (not mentioned)")
    return resolve_uncertain(policy) if mark == UNCERTAIN else mark


def resolve_uncertain(policy: UncertainPolicy) -> float:
    """What an uncertain label becomes: zeros 0.0, ones 1.0, ignore NaN (Irvin et al., CheXpert, AAAI 2019)."""
    return {"zeros": 0.0, "ones": 1.0, "ignore": math.nan}[policy]
