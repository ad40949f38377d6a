"""What was scored is read back as it was; files that do not belong together are refused."""

import json

import numpy as np
import pytest

from tests.unit.report.conftest import FinishedRun
from trainer.data.film_set import FilmSet
from trainer.data.store.opening import open_store
from trainer.errors import DataError
from trainer.metrics.calibration import calibration
from trainer.report.scores_folder import read_facts, read_scores


def read(run: FinishedRun):
    return read_scores(run.store, "scores-test", read_facts(run.store, "scores-test"))


def test_films_come_back_with_their_patients_as_the_set_has_them_hashed(finished: FinishedRun) -> None:
    films = FilmSet.open(open_store(finished.config.data.test, finished.config.store, "data.test"))
    found = read(finished)
    assert found.films.patients == tuple(films.patients())
    assert (found.split, found.digest) == ("test", films.digest)
    np.testing.assert_array_equal(found.films.labels, films.labels())


def test_the_calibration_of_each_class_is_that_of_its_films(finished: FinishedRun) -> None:
    found = read(finished)
    films = found.films
    again = calibration(
        films.scores, films.labels, np.array(films.patients), bins=5, resamples=20, confidence=0.95, seed=0
    )
    for name, each in zip(films.classes, again, strict=True):
        assert found.written["calibration"][name]["brier"]["value"] == each.brier.value
        assert found.written["calibration"][name]["error"]["low"] == each.error.low
        assert [one["films"] for one in found.written["calibration"][name]["bins"]] == [x.films for x in each.bins]


def test_what_was_not_scored_is_none(finished: FinishedRun) -> None:
    assert read_facts(finished.store, "scores-training") is None


def test_films_of_another_evaluation_do_not_belong_to_the_scores(finished: FinishedRun) -> None:
    checkpoint = read_facts(finished.store, "scores-test")["checkpoint"]
    older = finished.store.read("scores-test/films.csv")
    finished.score("test", checkpoint, seed=9)
    finished.store.write("scores-test/films.csv", older)
    with pytest.raises(DataError, match=r"films.csv' has other films or classes than scores.json beside it; run"):
        read(finished)


def test_scores_without_their_films_are_refused(finished: FinishedRun) -> None:
    finished.store.delete(["scores-test/films.csv"])
    with pytest.raises(DataError, match=r"scores-test/films.csv' is not there; run 'cxr-train evaluate' again"):
        read(finished)


def test_scores_of_a_version_that_wrote_no_hash_are_refused(finished: FinishedRun) -> None:
    facts = dict(read_facts(finished.store, "scores-test"))
    del facts["films_sha256"]
    finished.store.write("scores-test/scores.json", json.dumps(facts).encode())
    with pytest.raises(DataError, match=r"scores.json' is damaged \('films_sha256'\)"):
        read(finished)
