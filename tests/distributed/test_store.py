"""Two ranks whose run lies in a bucket: an outage of the real server costs no step, and one job at a time writes."""

import json
import signal
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


@pytest.fixture(scope="module")
def caught_up(start_job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Store]]:
    """What a job said whose store was away from its third step to its last, and its run, scored."""
    server, folder = new_server(tmp_path_factory.mktemp("s3")), tmp_path_factory.mktemp("caught_up")
    bucket = server.bucket()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in bucket.environment.items():
            patched.setenv(name, value)
        run = open_store(f"{bucket.url}/run", bucket.config, "checkpoint.directory")
        with start_job("train", folder, *into(run)) as job:
            job.hears(r"epoch 1/2  step 3/19")
            server.stop()
            job.hears(r"epoch 2/2  step 19/19")
            server.start()
            job.done()
        with start_job("evaluate", folder, *into(run)) as scored:
            scored.done()
        yield job.said, run
    server.stop()


def test_a_run_trains_through_an_outage_of_its_store_and_catches_up(caught_up, never_stopped) -> None:
    said, run = caught_up
    assert "has to wait, training goes on" in said
    assert "the store is back after" in said
    undisturbed = FolderStore(never_stopped(2) / "run", "checkpoint.directory")
    assert bits(last(run)) == bits(last(undisturbed))
    assert [row["step"] for row in history.read(run) if row["kind"] == "step"] == list(range(1, 39))


def test_a_checkpoint_in_a_bucket_is_scored_and_the_scores_lie_beside_it(caught_up) -> None:
    _, run = caught_up
    scores = json.loads(run.read("scores-validation/scores.json"))
    assert scores["checkpoint"] == last(run).state.best
    assert len(run.read("scores-validation/films.csv").decode().splitlines()) == 1 + scores["films"]
    assert run.read("curves.png").startswith(b"\x89PNG")


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


def test_the_next_job_of_a_release_waits_for_the_one_before_and_goes_on_from_it(
    start_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = ("train.epochs=100000", "checkpoint.every_steps=1")
    monkeypatch.setenv("CXR_TRAIN_RELEASE", "a")
    monkeypatch.setenv("CXR_TRAIN_JOB", "a-0123")
    with start_job("train", tmp_path, *endless, ranks=1) as before:
        before.hears(r"step 3/19")
        monkeypatch.setenv("CXR_TRAIN_JOB", "a-4567")
        with start_job("train", tmp_path, *endless, ranks=1) as after:
            after.hears(r"waiting for the end of attempt 1, job a-0123 \(release a\) on ")
            before.process.send_signal(signal.SIGTERM)
            assert before.code() == 143
            after.hears("resumed from step")
            after.process.send_signal(signal.SIGTERM)
            assert after.code() == 143


def last(store: Store) -> Snapshot:
    found, _ = newest(store)
    assert found
    return found.snapshot


def bits(found: Snapshot) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in (found.model | found.optimizer).items()}
