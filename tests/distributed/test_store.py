"""Two ranks whose run lies in a bucket: an outage of the real server costs no step, and one job at a time writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3 import Bucket, S3Server, new_server
from trainer.checkpoint import history
from trainer.checkpoint.reading import newest
from trainer.checkpoint.snapshot import Snapshot
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

BIT_EQUAL = "train.deterministic=true"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One of the test's own, to be stopped."""
    server = new_server(tmp_path_factory.mktemp("s3"))
    yield server
    server.stop()


@pytest.fixture
def bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty one; jobs inherit the environment that reaches it."""
    bucket = server.bucket()
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return bucket


@pytest.fixture
def run(bucket: Bucket) -> Store:
    """The run in the bucket."""
    return open_store(f"{bucket.url}/run", bucket.config, "checkpoint.directory")


def into(run: Store) -> tuple[str, ...]:
    return (BIT_EQUAL, f"checkpoint.directory={run.where}", "checkpoint.every_steps=2", "store.retry_seconds=1")


def test_a_run_trains_through_an_outage_of_its_store_and_catches_up(
    start_job, never_stopped, server: S3Server, run: Store, tmp_path: Path
) -> None:
    with start_job("train", tmp_path, *into(run)) as job:
        job.hears(r"epoch 1/2  step 3/19")
        server.stop()
        job.hears(r"epoch 2/2  step 19/19")
        server.start()
        job.done()
    assert "has to wait, training goes on" in job.said
    assert "the store is back after" in job.said
    undisturbed = FolderStore(never_stopped(2) / "run", "checkpoint.directory")
    assert bits(last(run)) == bits(last(undisturbed))
    assert [row["step"] for row in history.read(run) if row["kind"] == "step"] == list(range(1, 39))


def test_a_run_whose_store_stays_away_ends_with_145_and_goes_on_once_it_is_back(
    start_job, server: S3Server, run: Store, tmp_path: Path
) -> None:
    with start_job("train", tmp_path, *into(run), "checkpoint.patience_seconds=2") as job:
        job.hears(r"epoch 1/2  step 3/19")
        server.stop()
        assert job.code() == 145
    assert f"rank 0: checkpoint.directory: '{run.where}' has not taken the checkpoint of step " in job.said
    assert job.left() == {0: 145, 1: 144}
    server.start()
    with start_job("train", tmp_path, *into(run)) as again:
        again.hears("resumed from step")
        again.done()
    assert last(run).state.step == 38


def test_a_second_job_is_refused_while_the_first_trains(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, "train.epochs=100000", "checkpoint.every_steps=1") as first:
        first.hears(r"step 3/19")
        with start_job("train", tmp_path, "train.epochs=100000", ranks=1) as second:
            assert second.code() == 3
        first.hears(r"epoch 2/")
    assert "checkpoint.directory: 'run' is written by process " in second.said


def last(store: Store) -> Snapshot:
    found, _ = newest(store)
    assert found
    return found.snapshot


def bits(found: Snapshot) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in (found.model | found.optimizer).items()}
