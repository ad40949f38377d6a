"""The number of ranks changes nothing in what a model is found to be worth."""

import csv
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.conftest import demographics_of
from trainer import settings
from trainer.compare import compare
from trainer.data.film_set import FilmSet
from trainer.data.store.folder import FolderStore
from trainer.demographics import Demographics
from trainer.labels import CHEXPERT14, NIH15, shared_classes
from trainer.report.film_scores import parse_film_scores
from trainer.report.people import people_of

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]


class Evaluated(NamedTuple):
    """Scores float64 [films, classes] in the order of the file, the films' ids, what is known of each, scores.json."""

    scores: np.ndarray
    films: list[str]
    patients: list[str]
    people: list[Demographics]
    summary: dict
    run: Path


@pytest.fixture(scope="module")
def evaluated(start_job, never_stopped, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Evaluated]:
    """By the number of ranks that scored the same checkpoint."""
    found = {}
    for ranks in (1, 2):
        folder = tmp_path_factory.mktemp(f"evaluated_{ranks}")
        shutil.copytree(never_stopped(2) / "run", folder / "run")
        with start_job("evaluate", folder, ranks=ranks) as job:
            job.done()
        found[ranks] = _read(folder / "run" / "scores-validation")
    return found


def test_scores_are_those_of_one_rank(evaluated) -> None:
    assert np.abs(evaluated[2].scores - evaluated[1].scores).max() < 1e-5


def test_auroc_is_that_of_one_rank(evaluated) -> None:
    ours, alone = (
        [each["auroc"]["value"] for each in evaluated[ranks].summary["classes"].values()] for ranks in (2, 1)
    )
    assert ours == pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("ranks", [1, 2])
def test_films_are_listed_in_the_order_of_the_set(evaluated, small_sets: Path, ranks: int) -> None:
    assert evaluated[ranks].films == FilmSet.open(FolderStore(small_sets / "validation", "data.validation")).ids()


def test_patients_are_those_of_the_set_hashed_as_they_are_there(evaluated, small_sets: Path) -> None:
    films = FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))
    assert evaluated[2].patients == films.patients()


def test_what_the_set_knows_of_sex_age_and_view_stands_beside_each_film(evaluated, small_sets: Path) -> None:
    found = FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))
    assert evaluated[2].people == found.demographics() == [demographics_of(film) for film in range(70)]


def test_a_run_does_not_differ_from_itself_scored_on_another_number_of_ranks(evaluated) -> None:
    asked = settings.load(None, ["evaluate.split=validation"])
    found = compare(asked, str(evaluated[1].run), str(evaluated[2].run)).differences
    assert found.mean.difference.value == pytest.approx(0, abs=1e-3)
    assert found.mean.a == evaluated[1].summary["mean_auroc"]["value"]
    assert found.mean.b == evaluated[2].summary["mean_auroc"]["value"]


def _read(folder: Path) -> Evaluated:
    with (folder / "films.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    scores = [[float(value) for key, value in row.items() if key.startswith("score ")] for row in rows]
    summary = json.loads((folder / "scores.json").read_text())
    people = people_of(parse_film_scores((folder / "films.csv").read_bytes(), "films.csv"))
    films, patients = ([row[name] for row in rows] for name in ("film", "patient"))
    return Evaluated(np.array(scores), films, patients, people, summary, folder.parent)


@pytest.fixture(scope="module")
def across(start_job, never_stopped, make_set, tmp_path_factory: pytest.TempPathFactory) -> Evaluated:
    """The same checkpoint on the same films, labelled with another set."""
    folder = tmp_path_factory.mktemp("across")
    shutil.copytree(never_stopped(2) / "run", folder / "run")
    films = make_set(folder / "chexpert", "validation", 70, seed=1, patient_prefix="b", labels="chexpert14")
    other = f"data.validation={films}"
    with start_job("evaluate", folder, other, "data.labels=chexpert14", "evaluate.shared_classes=true") as job:
        job.done()
        assert any("scored on 8 classes that are shared" in line for line in job.lines), job.said
    return _read(folder / "run" / "scores-validation-chexpert14")


def test_a_set_with_other_labels_is_scored_on_the_classes_that_are_shared(across) -> None:
    assert list(across.summary["classes"]) == [CHEXPERT14.classes[each] for each, _ in _shared()]
    assert across.summary["labels"] == "chexpert14"
    assert "No Finding" not in across.summary["mean_over"]


def test_a_film_has_the_same_score_whatever_its_labels(across, evaluated) -> None:
    ours, theirs = ([pair[side] for pair in _shared()] for side in (0, 1))
    by_name = dict(zip(across.summary["classes"], across.scores.T, strict=True))
    named = np.stack([by_name[CHEXPERT14.classes[each]] for each in ours], axis=1)
    assert np.abs(named - evaluated[2].scores[:, theirs]).max() < 1e-5


def _shared() -> list[tuple[int, int]]:
    """Columns of chexpert14 and of nih15, in nih15's order, which is the checkpoint's."""
    return [(theirs, ours) for ours, theirs in shared_classes(NIH15.classes, CHEXPERT14.classes)]
