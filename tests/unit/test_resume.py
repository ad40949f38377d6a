"""What a run goes on from: the newest good checkpoint of the same run, or a refusal that says why not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.checkpoint.attempt import claim
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.config import CheckpointConfig
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError, UsageError
from trainer.resume import to_go_on_from

SAME = {"training_set": "a", "global_batch_size": 8, "seed": 0, "shuffle_window_shards": 8, "model": {"name": "small"}}


@pytest.fixture
def run(tmp_path: Path) -> FolderStore:
    """A run with two checkpoints."""
    store = FolderStore(tmp_path, "checkpoint.directory")
    attempt = claim(store, Owner("", "", "node", Process("another machine", 1, 1)), 60.0)
    for step in (1, 2):
        commit(store, Snapshot({"w": np.zeros(1)}, {}, State(step=step, run=SAME)), b"", attempt)
    return store


def state_from(store: FolderStore, **config: Any) -> State | None:
    found = to_go_on_from(store, CheckpointConfig.model_validate(config), State(run=SAME))
    return found.state if found else None


def test_a_run_goes_on_from_its_newest_checkpoint(run: FolderStore) -> None:
    state = state_from(run)
    assert state is not None
    assert state.step == 2


def test_a_damaged_one_is_passed_over_and_said_to_be(run: FolderStore, caplog: pytest.LogCaptureFixture) -> None:
    run.write("step-000000002-attempt-000001/model.safetensors", b"")
    state = state_from(run)
    assert state is not None
    assert state.step == 1
    assert "skipped a checkpoint: checkpoint: 'step-000000002-attempt-000001/model.safetensors' is not" in caplog.text


def test_a_run_without_checkpoints_begins_anew(tmp_path: Path) -> None:
    assert state_from(FolderStore(tmp_path / "none", "checkpoint.directory")) is None


def test_a_run_that_is_never_to_resume_is_refused_where_there_is_something_to_resume(run: FolderStore) -> None:
    with pytest.raises(UsageError, match=r"^checkpoint.resume: 'never' but .* holds checkpoints; choose another"):
        state_from(run, resume="never")


@pytest.mark.parametrize("name", SAME)
def test_another_run_is_not_gone_on_with(run: FolderStore, name: str) -> None:
    other = State(run=SAME | {name: "other"})
    with pytest.raises(DataError, match=f"was begun with another {name} "):
        to_go_on_from(run, CheckpointConfig(), other)


def test_nothing_but_damaged_checkpoints_are_not_trained_over(run: FolderStore) -> None:
    for step in (1, 2):
        run.write(f"step-{step:09d}-attempt-000001/model.safetensors", b"")
    with pytest.raises(DataError, match="holds 2 checkpoints, and none of them is what its manifest says"):
        state_from(run)
