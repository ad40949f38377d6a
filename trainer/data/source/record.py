"""A film of the catalog, as everything after it knows it."""

from typing import Literal, NamedTuple

from trainer.demographics import UNTOLD, Demographics

Assignment = Literal["", "training", "validation", "test"]
"""The set a film belongs to; blank: not decided, or none."""

ASSIGNMENTS = ("", "training", "validation", "test")

Labels = tuple[float, ...]


class Record(NamedTuple):
    """A film of the catalog: its file name (CheXpert: path), patient, labels (one a class, NaN unknown) and set.

    Of its demographics only what is to be kept.
    """

    film: str
    patient: str
    labels: Labels
    split: Assignment = ""
    demographics: Demographics = UNTOLD
