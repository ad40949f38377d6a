"""From settings to trackers: none unless asked for, and a wrong address is refused before anything is trained."""

from pathlib import Path

import pytest

from trainer.config import Config
from trainer.data.store.folder import FolderStore
from trainer.errors import UsageError
from trainer.trackers.opening import open_trackers, refuse_wrong_addresses
from trainer.trackers.run_key import run_key


def tree(**trackers: object) -> Config:
    return Config.model_validate({"trackers": trackers, "checkpoint": {"directory": "/runs/a"}})


def test_nothing_is_tracked_unless_it_is_asked_for(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, "checkpoint.directory")
    trackers = open_trackers(Config(), store, [{"kind": "step", "step": 1, "epoch": 0}], {})
    assert trackers.news() == (0, 0)
    trackers.end("finished")
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_told_to_a_folder_of_each(tmp_path: Path) -> None:
    board, runs, run = tmp_path / "board", tmp_path / "mlruns", tmp_path / "run"
    config = tree(tensorboard={"directory": str(board)}, mlflow={"address": str(runs)})
    row = {"kind": "step", "time": 1.0, "step": 1, "epoch": 0, "loss": 0.5}
    trackers = open_trackers(config, FolderStore(run, "checkpoint.directory"), [row], {"cxr_train.version": "1"})
    trackers.end("finished")
    key = run_key(FolderStore(run, "checkpoint.directory"))
    assert [each.name.endswith(key) for each in (board / "a").iterdir()] == [True]
    (loss,) = runs.glob(f"*/{key}/metrics/train/loss")
    assert loss.read_text() == "1000 0.5 1\n"
    (name,) = runs.glob(f"*/{key}/tags/mlflow.runName")
    assert name.read_text() == "a"


def test_a_run_keeps_its_key_and_shares_it_with_none(tmp_path: Path) -> None:
    ours, other = FolderStore(tmp_path / "a", "a"), FolderStore(tmp_path / "b", "b")
    assert run_key(ours) == run_key(ours) != run_key(other)


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("http://me:hush@host", "'http://host' has credentials in it; take them out, and set MLFLOW_TRACKING_USERNAME"),
        ("sqlite:///runs.db", "'sqlite:///runs.db' is neither a server nor a folder; write http"),
        ("s3://bucket/mlruns", "is neither a server nor a folder"),
        ("http://", "is neither a server nor a folder"),
        ("http://me:hu/hush@host", "'http://host' is neither a server nor a folder"),
        ("http://me:a@hush@host", "'http://host' has credentials in it"),
        ("http://[host", "is neither a server nor a folder"),
        ("https://host/?token=hush", "'https://host/' is neither a server nor a folder"),
    ],
)
def test_an_address_that_can_be_none_is_refused_without_its_secret(address: str, rule: str) -> None:
    with pytest.raises(UsageError, match=r"^trackers.mlflow.address: ") as refused:
        refuse_wrong_addresses(tree(mlflow={"address": address}))
    assert rule in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_store_of_no_known_kind_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^trackers.tensorboard.directory: 'ftp://host/a'"):
        refuse_wrong_addresses(tree(tensorboard={"directory": "ftp://host/a"}))


@pytest.mark.parametrize("address", ["", "http://host:5000", "https://host/mlflow/", "runs", "/runs", "../runs"])
def test_servers_and_folders_are_let_through(address: str) -> None:
    refuse_wrong_addresses(tree(mlflow={"address": address}))


@pytest.mark.parametrize("directory", ["..", ".", "/", "s3://bucket", "runs/a b:c"])
def test_a_run_has_a_name_wherever_it_is_saved(directory: str) -> None:
    config = Config.model_validate(
        {"trackers": {"tensorboard": {"directory": "board"}}, "checkpoint": {"directory": directory}}
    )
    refuse_wrong_addresses(config)
