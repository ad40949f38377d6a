"""A run in a folder: MLflow itself reads it, and the next attempt goes on in it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mlflow_server import PROGRAMS
from tests.unit.trackers.test_mlflow_server import epoch, step
from trainer.trackers.mlflow_folder import MlflowFolder
from trainer.trackers.mlflow_run import RunFacts
from trainer.trackers.tracker import NotTaken

KEY = "a1" * 16

READ = """
import json, sys
from mlflow import MlflowClient
client = MlflowClient(sys.argv[1])
(experiment,) = client.search_experiments(filter_string="name = 'chest films'")
(run,) = client.search_runs([experiment.experiment_id])
course = {key: [(each.timestamp, each.value, each.step) for each in client.get_metric_history(run.info.run_id, key)]
          for key in run.data.metrics}
print(json.dumps({"info": dict(run.info), "params": run.data.params, "tags": run.data.tags, "course": course}))
"""


def tracker(folder: Path, key: str = KEY, **parameters: str) -> MlflowFolder:
    return MlflowFolder(folder, RunFacts("chest films", "a run", parameters, {"cxr_train.version": "1"}), lambda: key)


def meta(folder: Path, key: str = KEY) -> dict[str, Any]:
    (file,) = folder.glob(f"*/{key}/meta.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def lines(folder: Path, metric: str, key: str = KEY) -> list[list[str]]:
    (file,) = folder.glob(f"*/{key}/metrics/{metric}")
    return [line.split() for line in file.read_text().splitlines()]


def test_mlflow_reads_what_was_told(tmp_path: Path) -> None:
    if not (PROGRAMS / "python").exists():
        pytest.skip(f"no MLflow in {PROGRAMS}: make .servers/mlflow/done")
    told = tracker(tmp_path, **{"train.epochs": "10"})
    told.begin()
    told.tell([step(10), step(20), epoch(1, 20, {"No Finding": 0.75})])
    told.end("finished")

    environment = {**os.environ, "MLFLOW_ALLOW_FILE_STORE": "true"}
    command = [PROGRAMS / "python", "-c", READ, str(tmp_path)]
    ran = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["params"] == {"train.epochs": "10"}
    assert found["info"]["status"] == "FINISHED"
    assert found["tags"]["cxr_train.version"] == "1"
    assert [each[1:] for each in found["course"]["train/loss"]] == [[0.1, 10], [0.05, 20]]
    assert found["course"]["validation/auroc/No Finding"] == [[1_700_000_020_250, 0.75, 20]]


def test_the_next_attempt_goes_on_in_the_same_run(tmp_path: Path) -> None:
    before = tracker(tmp_path, epochs="10")
    before.begin()
    before.tell([step(10), step(20)])
    before.end("stopped")
    begun = meta(tmp_path)
    assert begun["status"] == 5

    after = tracker(tmp_path, epochs="20")
    after.begin()
    assert (meta(tmp_path)["status"], meta(tmp_path)["end_time"]) == (1, None)
    after.tell([step(10), step(20), step(30)])
    after.end("finished")
    assert meta(tmp_path)["start_time"] == begun["start_time"]
    assert [line[2] for line in lines(tmp_path, "train/loss")] == ["10", "20", "30"]
    (kept,) = tmp_path.glob("*/*/params/epochs")
    assert kept.read_text() == "10"


def test_two_runs_of_an_experiment_share_its_folder(tmp_path: Path) -> None:
    for key in ("b" * 32, "c" * 32):
        tracker(tmp_path, key).begin()
    assert len(list(tmp_path.glob("*/meta.yaml"))) == 1
    assert len(list(tmp_path.glob("*/*/meta.yaml"))) == 2


def test_an_experiment_that_mlflow_made_is_found_by_its_name(tmp_path: Path) -> None:
    there = tmp_path / "42"
    there.mkdir()
    (there / "meta.yaml").write_text("name: chest films\nexperiment_id: '42'\n")
    tracker(tmp_path).begin()
    assert (there / KEY / "meta.yaml").exists()


def test_a_line_that_was_cut_off_is_taken_away_and_told_again(tmp_path: Path) -> None:
    before = tracker(tmp_path)
    before.begin()
    before.tell([step(10), step(20)])
    (file,) = tmp_path.glob(f"*/{KEY}/metrics/train/epoch")
    file.write_text(file.read_text()[:-2])
    after = tracker(tmp_path)
    after.begin()
    after.tell([step(10), step(20)])
    assert [line[2] for line in lines(tmp_path, "train/epoch")] == ["10", "20"]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "meta.yaml").write_text("- no mapping\n")
    with pytest.raises(NotTaken, match=r"^trackers.mlflow.address: '.*meta.yaml' is not MLflow's; mend it"):
        tracker(tmp_path).begin()
