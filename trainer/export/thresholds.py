"""The thresholds that go with an exported network: chosen on the validation scores of the same checkpoint."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from trainer.checkpoint.manifest import Mark
from trainer.data.store.store import Store
from trainer.metrics.thresholds import choose
from trainer.report.scores_folder import read_facts, read_scores

Thresholds = Mapping[str, npt.NDArray[np.float32]]
"""float32 [classes] by the rule that chose them; NaN where it could not. None at all: validation was not scored."""

_FOLDER = "scores-validation"


def thresholds_of(store: Store, mark: Mark, classes: Sequence[str]) -> tuple[Thresholds, float | None]:
    """By ``youden`` and ``at_sensitivity``, from what ``evaluate`` wrote of the validation set, and that sensitivity.

    None where there are no scores, or they are another checkpoint's. Raises DataError where they are damaged.
    """
    facts = read_facts(store, _FOLDER)
    if facts is None or facts.get("checkpoint") != mark.folder:
        return {}, None
    found = read_scores(store, _FOLDER, facts, classes)
    aim = found.scores.at_sensitivity
    chosen = choose(found.films.scores, found.films.labels, sensitivity=aim)
    values = {"youden": chosen.youden, "at_sensitivity": chosen.at_sensitivity}
    return {rule: each.astype(np.float32) for rule, each in values.items()}, aim
