"""Thresholds are those that the validation scores of the same checkpoint choose, or none."""

from pathlib import Path

import numpy as np
import pytest

from trainer.checkpoint.manifest import Mark
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.export.thresholds import thresholds_of
from trainer.metrics.bootstrap import bootstrap
from trainer.report.film_scores import FilmScores
from trainer.report.scores_folder import write_scores

CLASSES, MARK = ("Mass", "Hernia"), Mark(attempt=1, step=10)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Of a run whose validation set has no Hernia."""
    store = FolderStore(tmp_path, "checkpoint.directory")
    scores = np.array([[0.1, 0.1], [0.2, 0.2], [0.7, 0.1], [0.9, 0.3]], np.float32)
    labels = np.array([[0, 0], [0, 0], [1, 0], [1, 0]], np.float32)
    films = FilmScores(("a", "b", "c", "d"), CLASSES, scores, labels, patients=("p", "q", "r", "s"))
    points = {"at_specificity": 0.9, "at_sensitivity": 0.5}
    found = bootstrap(scores, labels, np.arange(4), resamples=0, confidence=0.95, seed=0, mean_over=[0, 1], **points)
    facts = {"split": "validation", "set": "0" * 64, "labels": "nih15", "checkpoint": MARK.folder}
    write_scores(store.under("scores-validation"), films, found, [None, None], facts)
    return store


def test_thresholds_are_chosen_by_both_rules(store: FolderStore) -> None:
    found, sensitivity = thresholds_of(store, MARK, CLASSES)
    assert sensitivity == 0.5
    np.testing.assert_allclose(found["youden"], [0.7, np.nan])
    np.testing.assert_allclose(found["at_sensitivity"], [0.9, np.nan])


def test_scores_of_another_checkpoint_choose_none(store: FolderStore) -> None:
    assert thresholds_of(store, Mark(attempt=2, step=10), CLASSES) == ({}, None)


def test_a_run_that_was_not_validated_has_none(store: FolderStore) -> None:
    store.delete(["scores-validation/scores.json"])
    assert thresholds_of(store, MARK, CLASSES) == ({}, None)


@pytest.mark.parametrize(
    ("name", "content"), [("scores.json", b"{"), ("scores.json", b"[]"), ("films.csv", b"film\n1,2")]
)
def test_damaged_scores_are_refused(store: FolderStore, name: str, content: bytes) -> None:
    store.write(f"scores-validation/{name}", content)
    with pytest.raises(DataError, match=f"^scores: .*{name}"):
        thresholds_of(store, MARK, CLASSES)
