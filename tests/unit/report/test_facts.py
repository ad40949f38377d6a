"""The facts of a run are those that were written; what is not finished, not scored or spoiled is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.s3 import Bucket
from tests.unit.report.conftest import STEPS, FinishedRun
from trainer import settings
from trainer.data.shard.manifest import SPLITS
from trainer.errors import DataError
from trainer.report.facts import collect


def test_a_finished_run_tells_what_it_is(finished: FinishedRun) -> None:
    facts = collect(finished.config)
    assert (facts.where, facts.program, facts.labels, facts.image_size) == (finished.store.where, "0.1.0", "nih15", 32)
    assert (facts.steps, facts.epochs, facts.stopped_early, facts.best_validation_auroc) == (STEPS, 2, False, 0.75)
    assert (facts.checkpoint.mark.step, facts.checkpoint.epoch, facts.checkpoint.batch) == (STEPS, 2, 0)
    assert facts.config["model"]["name"] == "resnet34"
    assert [row["validation_auroc"] for row in facts.history] == [0.75]


def test_sets_come_with_digest_and_counts(finished: FinishedRun) -> None:
    facts = collect(finished.config)
    assert list(facts.sets) == list(SPLITS)
    films = [found.manifest.films for found in facts.sets.values() if found.manifest]
    assert films == [150, 70, 60]
    assert facts.sets["test"].digest == facts.scores["test"].digest


def test_scores_and_films_are_those_that_were_written(finished: FinishedRun) -> None:
    scored = collect(finished.config).scores["validation"]
    assert (scored.scores.films, scored.scores.patients, scored.scores.resamples) == (70, 35, 20)
    assert scored.films.scores.shape == scored.films.labels.shape == (70, 15)
    assert scored.films.films[3] == "00000003.png"
    counted = [int(each) for each in np.nansum(scored.films.labels, axis=0)]
    assert counted == [each.positives for each in scored.scores.classes]


def test_a_run_in_a_bucket_tells_the_same(finished: FinishedRun, s3: Bucket) -> None:
    shutil.copytree(Path(finished.store.where), s3.folder / "run")
    config = finished.config.model_copy(update={"store": s3.config})
    saved = config.checkpoint.model_copy(update={"directory": f"{s3.url}/run"})
    facts = collect(config.model_copy(update={"checkpoint": saved}))
    assert facts.where == f"{s3.url}/run"
    assert repr(facts.scores["test"].scores) == repr(collect(finished.config).scores["test"].scores)


def test_sets_are_found_where_the_run_had_them(finished: FinishedRun) -> None:
    bare = settings.load(None, [f"checkpoint.directory={finished.store.where}"])
    assert collect(bare).sets == collect(finished.config).sets


def test_a_set_that_is_gone_keeps_its_digest_and_says_why(finished: FinishedRun) -> None:
    digest = collect(finished.config).sets["test"].digest
    shutil.rmtree(finished.config.data.test)
    found = collect(finished.config).sets["test"]
    assert (found.digest, found.manifest) == (digest, None)
    assert "has no manifest.json" in found.why


def test_another_set_in_its_place_is_not_taken_for_it(finished: FinishedRun) -> None:
    data = finished.config.data.model_copy(update={"training": finished.config.data.validation})
    found = collect(finished.config.model_copy(update={"data": data})).sets["training"]
    assert found.manifest is None
    assert "another set" in found.why


def test_an_unfinished_run_is_refused(begun: FinishedRun) -> None:
    begun.score("test", begun.write_state(epoch=1, batch=3))
    with pytest.raises(DataError, match="is not finished: 1 of 2 epochs are trained; train it to its end"):
        collect(begun.config)


def test_a_run_that_stopped_early_is_finished(begun: FinishedRun) -> None:
    begun.score("test", begun.write_state(epoch=1, stopped_early=True))
    assert collect(begun.config).stopped_early


def test_a_directory_without_a_run_is_refused(begun: FinishedRun) -> None:
    with pytest.raises(DataError, match="has no good checkpoint"):
        collect(begun.config)


def test_a_run_without_scores_is_refused(begun: FinishedRun) -> None:
    checkpoint = begun.write_state()
    with pytest.raises(DataError, match="holds no scores of its test set; run 'cxr-train evaluate"):
        collect(begun.config)
    begun.score("test", checkpoint)
    with pytest.raises(DataError, match="holds no scores of its validation set"):
        collect(begun.config, need=("validation", "test"))


def test_scores_of_two_checkpoints_do_not_make_one_report(finished: FinishedRun) -> None:
    finished.score("test", finished.write_state(epoch=3))
    with pytest.raises(DataError, match="holds scores of several checkpoints"):
        collect(finished.config)


def test_scores_at_two_sensitivities_do_not_make_one_report(begun: FinishedRun) -> None:
    checkpoint = begun.write_state()
    begun.score("validation", checkpoint)
    begun.score("test", checkpoint, aim=0.8)
    with pytest.raises(DataError, match=r"several sensitivities \(.*validation: 0\.9.*; run 'cxr-train evaluate'"):
        collect(begun.config)


def test_scores_of_a_checkpoint_that_is_gone_are_refused(begun: FinishedRun) -> None:
    begun.write_state()
    begun.score("test", "step-000000009-attempt-000009")
    with pytest.raises(DataError, match="no checkpoint of that name"):
        collect(begun.config)


@pytest.mark.parametrize("name", ["scores.json", "films.csv"])
@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_scores_that_are_cut_off_are_refused(finished: FinishedRun, name: str, part: float) -> None:
    content = finished.store.read(f"scores-test/{name}")
    finished.store.write(f"scores-test/{name}", content[: int(len(content) * part)])
    with pytest.raises(DataError, match=f"^scores: .*{name}.*run 'cxr-train evaluate' again"):
        collect(finished.config)
