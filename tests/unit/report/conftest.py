"""A finished run of two epochs that was scored on validation and test, written as ``train`` and ``evaluate`` do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import MakeSet
from trainer import settings
from trainer.checkpoint import history
from trainer.checkpoint.attempt import claim
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.snapshot import Arrays, Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.labels import label_set
from trainer.metrics.bootstrap import bootstrap
from trainer.metrics.calibration import calibration
from trainer.report.facts import KEY
from trainer.report.film_scores import FilmScores
from trainer.report.scores_folder import write_scores

STEPS = 10
NO_NETWORK: Arrays = {"head/bias": np.zeros(3, np.float32)}


@dataclass(frozen=True)
class FinishedRun:
    """``config`` says where it and its sets are; ``store`` holds it."""

    config: Config
    store: Store

    def write_state(self, arrays: Arrays = NO_NETWORK, **changes: Any) -> str:
        """Commits a checkpoint of the last step as another attempt; its name."""
        training = FilmSet.open(open_store(self.config.data.training, self.config.store, "data.training"))
        run = {
            "program_version": "0.1.0",
            "config": self.config.model_dump(mode="json"),
            "classes": list(training.manifest.classes),
            "image_size": training.manifest.image.height,
            "training_set": training.digest,
            "model": self.config.model.model_dump(mode="json"),
        }
        attempt = claim(self.store, Owner("films/a", "films/r", "node", Process("another machine", 1, 1)), 60.0)
        state = State(step=STEPS, attempt=attempt.number, run=run, best_auroc=0.75, **{"epoch": 2, **changes})
        rows = history.History([{"kind": "epoch", "step": STEPS, "epoch": 2, "loss": 0.3, "validation_auroc": 0.75}])
        return commit(self.store, Snapshot(arrays, arrays, state), rows.content(), attempt).mark.folder

    def score(self, split: str, checkpoint: str, *, seed: int = 0, without: str = "", aim: float = 0.9) -> None:
        """Writes scores that know something of the labels; of the class ``without``, there are no positives.

        ``aim`` is the sensitivity that one of the thresholds is to reach.
        """
        films = FilmSet.open(open_store(getattr(self.config.data, split), self.config.store, f"data.{split}"))
        labels, findings = films.labels(), label_set("nih15").findings
        if without:
            labels[:, films.manifest.classes.index(without)] = 0
        drawn = np.random.default_rng(seed).random(labels.shape)
        scores = (0.6 * drawn + 0.4 * np.nan_to_num(labels, nan=0.5)).astype(np.float32)
        mean_over = [films.manifest.classes.index(each) for each in findings]
        of_films = FilmScores(
            tuple(films.ids()), films.manifest.classes, scores, labels, patients=tuple(films.patients())
        )
        drawn_as: Any = {"resamples": 20, "confidence": 0.95, "seed": 0}
        given = scores, labels, np.asarray(of_films.patients)
        found = bootstrap(*given, **drawn_as, mean_over=mean_over, at_specificity=0.9, at_sensitivity=aim)
        facts = {"split": split, "set": films.digest, "labels": "nih15", "checkpoint": checkpoint}
        folder = self.store.under(f"scores-{split}")
        write_scores(folder, of_films, found, calibration(*given, **drawn_as, bins=5), facts)


@pytest.fixture
def begun(small_sets: Path, make_set: MakeSet, tmp_path: Path) -> FinishedRun:
    """Nothing of it is written yet but its sets."""
    make_set(tmp_path / "test", "test", 60, seed=2, patient_prefix="c")
    config = settings.load(
        None,
        [
            *(f"data.{split}={small_sets / split}" for split in ("training", "validation")),
            f"data.test={tmp_path / 'test'}",
            f"checkpoint.directory={tmp_path / 'run'}",
            "train.epochs=2",
        ],
    )
    return FinishedRun(config, open_store(config.checkpoint.directory, config.store, KEY))


@pytest.fixture
def finished(begun: FinishedRun) -> FinishedRun:
    """Scored on both sets."""
    checkpoint = begun.write_state()
    for seed, split in enumerate(("validation", "test")):
        begun.score(split, checkpoint, seed=seed)
    return begun
