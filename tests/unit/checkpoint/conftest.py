"""A run's store, its attempts, and small snapshots to write into it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from trainer.checkpoint.attempt import Attempt, claim
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.config import StoreConfig
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store

KEY = "checkpoint.directory"

Begin = Callable[[Store], Attempt]


class MakeSnapshot(Protocol):
    """A snapshot of a step; ten steps are an epoch."""

    def __call__(self, step: int, *, attempt: int = 1, size: int = 6, best: str = "", **state: Any) -> Snapshot: ...


class CommitAll(Protocol):
    """Commits checkpoints of these steps in an attempt of their own; their marks."""

    def __call__(self, store: Store, *steps: int) -> list[Mark]: ...


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A run's, empty: a folder, and a bucket of the S3 server."""
    if request.param == "folder":
        return open_store(str(tmp_path / "run"), StoreConfig(), KEY)
    bucket = request.getfixturevalue("s3")
    return open_store(f"{bucket.url}/run", bucket.config, KEY)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStore:
    """A run's, in a folder, empty."""
    return FolderStore(tmp_path / "run", KEY)


@pytest.fixture(scope="session")
def made() -> MakeSnapshot:
    return _made


@pytest.fixture(scope="session")
def begin() -> Begin:
    return _begin


@pytest.fixture(scope="session")
def committed() -> CommitAll:
    def commit_all(store: Store, *steps: int) -> list[Mark]:
        attempt = _begin(store)
        return [commit(store, _made(step, attempt=attempt.number), b"", attempt).mark for step in steps]

    return commit_all


def _begin(store: Store) -> Attempt:
    """The next attempt of one and the same job."""
    return claim(store, Owner("films/a", "films/r", "node", Process("another machine", 1, 1)), 60.0)


def _made(step: int, *, attempt: int = 1, size: int = 6, best: str = "", **state: Any) -> Snapshot:
    model = {"conv/kernel": np.full((size, 2), step, np.float32), "norm/count": np.array(step, np.int64)}
    optimizer = {"conv/kernel/m": np.full((size, 2), -step, np.float64), "updates": np.array(step, np.int64)}
    where = {"epoch": step // 10, "batch": step % 10} | state
    return Snapshot(model, optimizer, State(step=step, attempt=attempt, best=best, run={"seed": 1}, **where))
