"""TensorBoard and MLflow are told of a run that is killed, goes on without the server, and sees it come back."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from tests.mlflow_server import MlflowServer, parameters_of, tags_of
from trainer.checkpoint import history
from trainer.data.store.folder import FolderStore

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(1200)]

STEPS = list(range(1, 39))


class Told(NamedTuple):
    """What the job said while the server was dead and how it ended, and then the run as the server has it."""

    code: int
    lines: list[str]
    folder: Path
    run: dict[str, Any]
    server: MlflowServer


@pytest.fixture(scope="module")
def told(start_job, mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("told")
    settings = [
        f"trackers.mlflow.address={mlflow_server.address}",
        "trackers.mlflow.experiment=killed",
        "trackers.tensorboard.directory=board",
        "trackers.tensorboard.films=3",
        "trackers.patience_seconds=3",
    ]
    with start_job("train", folder, *settings) as job:
        job.hears(r"epoch 2/2  step 5/19")
        job.kill()
    mlflow_server.stop()
    try:
        with start_job("train", folder, *settings) as job:
            code, lines = job.code(), list(job.lines)
    finally:
        mlflow_server.start()
    with start_job("train", folder, *settings, "trackers.patience_seconds=60", ranks=1) as job:
        job.done()
    return Told(code, lines, folder, mlflow_server.run_of("killed"), mlflow_server)


def test_a_run_ends_well_though_the_server_is_dead_and_says_so_once(told: Told) -> None:
    assert told.code == 0, told.lines
    assert len([line for line in told.lines if "MLflow takes nothing; the run goes on" in line]) == 1
    assert [line for line in told.lines if "MLflow was not told all of the run" in line]


def test_the_server_has_every_step_once_in_one_run(told: Told) -> None:
    assert [step for step, _ in told.server.course(told.run, "train/loss")] == STEPS
    assert [value for _, value in told.server.course(told.run, "train/epochs_done")] == [1.0, 2.0]
    assert told.run["info"]["status"] == "FINISHED"


def test_what_the_server_has_is_the_history(told: Told) -> None:
    """From the second half on; before that stands what the killed attempt told of steps that were done again."""
    rows = [row for row in _history(told) if row["kind"] == "step"]
    course = dict(told.server.course(told.run, "train/loss"))
    for row in rows[:19] + rows[-5:]:
        assert course[row["step"]] == row["loss"]


def test_the_settings_are_its_parameters(told: Told) -> None:
    found = parameters_of(told.run)
    assert (found["train.epochs"], found["train.global_batch_size"], found["model.name"]) == ("2", "8", "small")
    assert tags_of(told.run)["cxr_train.training_set"]


def test_the_curves_have_every_step_once_with_the_values_of_the_history(told: Told) -> None:
    curve = _events(told.folder / "board" / "run").Scalars("train/loss")
    assert [each.step for each in curve] == STEPS
    losses = [row["loss"] for row in _history(told) if row["kind"] == "step"]
    assert [each.value for each in curve] == pytest.approx(losses, rel=1e-6)
    assert {"train/learning_rate", "validation/auroc_mean", "validation/auroc/Mass"} <= set(
        _events(told.folder / "board" / "run").Tags()["scalars"]
    )


def test_the_films_of_the_first_batch_are_there_once(told: Told) -> None:
    found = _events(told.folder / "board" / "run" / "films")
    assert {tag: len(found.Images(tag)) for tag in found.Tags()["images"]} == {f"films/{row}": 1 for row in range(3)}


def test_the_run_has_one_key(told: Told) -> None:
    key = json.loads((told.folder / "run" / "trackers.json").read_text())["run"]
    assert tags_of(told.run)["cxr_train.run"] == key


def _history(told: Told) -> Any:
    return history.read(FolderStore(told.folder / "run", "checkpoint.directory"))


def _events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={IMAGES: 0})
    found.Reload()
    return found
