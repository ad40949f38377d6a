"""The writer in the background: what is kept, what an outage costs, and what stops a run."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from trainer.checkpoint import reading
from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.history import FILE as HISTORY
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import best, load, newest
from trainer.checkpoint.writer import News, Writer
from trainer.config import CheckpointConfig
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Sink, Store
from trainer.errors import DataError, StoreDown

PATIENCE_SECONDS = 60.0


def steps_in(store: Store) -> list[int]:
    return sorted(mark.step for mark in reading.committed(store.entries()))


def folders_in(store: Store) -> set[str]:
    return {each for each in store.folders() if each.startswith("step-")}


class FailingFolder(FolderStore):
    """A folder whose writing fails as ``failing`` says, while it says so."""

    failing: Exception | None = None

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "checkpoint.directory")
        self.asked = threading.Semaphore(0)

    def writing(self, name: str) -> AbstractContextManager[Sink]:
        if name.startswith("step-"):
            self.asked.release()
            if self.failing:
                raise self.failing
        return super().writing(name)


DOWN = StoreDown("checkpoint.directory", "s3://runs/a", "does not answer", "wait")


@pytest.fixture
def failing(tmp_path: Path) -> FailingFolder:
    return FailingFolder(tmp_path / "run")


@pytest.fixture
def writer_of(begin) -> Iterator[Callable[..., Writer]]:
    """Makes writers of attempts of their own, closed at the end."""
    made: list[Writer] = []

    def make(store: Store, attempt: Attempt | None = None, **config: float) -> Writer:
        made.append(Writer(store, attempt or begin(store), CheckpointConfig.model_validate(config)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is down is asked again at once."""
    monkeypatch.setattr("trainer.checkpoint.outage.FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("trainer.checkpoint.outage.LONGEST_WAIT_SECONDS", 0.02)


def test_only_the_last_ones_and_the_best_are_kept(store: Store, made, writer_of) -> None:
    writer = writer_of(store, keep_last=2)
    the_best = ""
    for step in range(1, 7):
        the_best = Mark(1, step).folder if step == 3 else the_best
        writer.save(made(step, best=the_best), b"")
    writer.finish()
    assert steps_in(store) == [3, 5, 6]
    assert best(store).mark.step == 3


def test_a_better_one_takes_the_place_of_the_best(store: Store, made, writer_of) -> None:
    writer = writer_of(store, keep_last=1)
    the_best = ""
    for step in range(1, 6):
        the_best = Mark(1, step).folder if step in (2, 4) else the_best
        writer.save(made(step, best=the_best), b"")
    writer.finish()
    assert best(store).mark.step == 4
    assert steps_in(store) == [4, 5]


def test_the_end_of_every_second_epoch_is_kept(store: Store, made, writer_of) -> None:
    writer = writer_of(store, keep_last=1, keep_every_epochs=2)
    for step in (5, 10, 15, 20, 30, 40, 42):
        writer.save(made(step), b"")
    writer.finish()
    assert steps_in(store) == [20, 40, 42]


def test_the_history_comes_with_the_checkpoint(store: Store, made, writer_of) -> None:
    writer = writer_of(store)
    writer.save(made(1), b'{"step": 1}\n')
    writer.finish()
    assert store.read(HISTORY) == b'{"step": 1}\n'


def test_a_commit_tells_its_step_and_time(folder: FolderStore, made, writer_of) -> None:
    writer = writer_of(folder)
    assert writer.news() == News()
    before = time.time()
    writer.save(made(7), b"")
    writer.finish()
    (done,) = writer.news().commits
    assert done.mark.step == 7
    assert before <= done.time <= time.time()
    assert writer.news() == News()


def test_what_a_killed_writer_left_is_cleared_away(
    folder: FolderStore, made, committed, writer_of, tmp_path: Path
) -> None:
    (left,) = committed(folder, 7)
    folder.delete([left.file("manifest.json")])
    half_written = folder.path("step-000000006-attempt-000001/.model.safetensors.1.abcd.partial")
    half_written.parent.mkdir()
    half_written.touch()
    writer = writer_of(folder)
    writer.save(made(8, attempt=2), b"")
    writer.finish()
    assert [each.name for each in (tmp_path / "run").glob("step-*")] == ["step-000000008-attempt-000002"]


def test_a_damaged_newer_checkpoint_never_crowds_out_the_good_ones(store: Store, made, committed, writer_of) -> None:
    _, damaged = committed(store, 10, 30)
    store.write(damaged.file("model.safetensors"), b"")
    writer = writer_of(store, keep_last=1)
    writer.save(made(20, attempt=2), b"")
    writer.finish()
    found, skipped = newest(store)
    assert found is not None
    assert (found.mark.step, skipped) == (20, [])


def test_an_older_attempt_clears_nothing_of_a_newer_one(folder: FolderStore, made, begin, writer_of) -> None:
    older = writer_of(folder)
    newer = begin(folder)
    folder.write(f"step-000000009-attempt-{newer.number:06d}/model.safetensors", b"half")
    older.save(made(1), b"")
    older.finish()
    assert "belongs to attempt 2" in str(older.news().refused)
    assert folders_in(folder) == {"step-000000009-attempt-000002"}


@pytest.mark.usefixtures("quick")
def test_training_goes_on_while_the_store_is_down_and_it_catches_up(
    failing: FailingFolder, made, writer_of, caplog: pytest.LogCaptureFixture
) -> None:
    writer = writer_of(failing, keep_last=9)
    failing.failing = DOWN
    with caplog.at_level("INFO", "cxr_train"):
        for step in (1, 2, 3, 4, 5):
            writer.save(made(step, best=Mark(1, min(step, 2)).folder), b"rows")
            for _ in range(3):
                assert failing.asked.acquire(timeout=PATIENCE_SECONDS)
        during = writer.news()
        failing.failing = None
        writer.finish()
    after = writer.news()
    assert steps_in(failing) == [2, 5]
    assert best(failing).mark.step == 2
    assert (during.failures > 5, during.pending, during.refused) == (True, 2, None)
    assert [each.mark.step for each in after.commits] == [2, 5]
    assert after.pending == 0
    said = [record.getMessage() for record in caplog.records]
    assert sum("has to wait, training goes on: checkpoint.directory: 's3://runs/a'" in line for line in said) == 1
    assert sum("the store is back after " in line for line in said) == 1


@pytest.mark.usefixtures("quick")
def test_a_run_that_ends_while_the_store_is_down_names_what_is_not_saved(
    failing: FailingFolder, made, writer_of
) -> None:
    writer = writer_of(failing, patience_seconds=0.1)
    writer.save(made(1), b"")
    writer.finish()
    failing.failing = DOWN
    writer.save(made(2), b"")
    with pytest.raises(StoreDown) as unsaved:
        writer.finish()
    assert "has not taken the checkpoint of step 2 within 0.1 s; step 1 is committed by this attempt" in str(
        unsaved.value
    )
    assert unsaved.value.exit_code == 145


def test_what_no_waiting_mends_is_told_at_once(failing: FailingFolder, made, writer_of) -> None:
    writer = writer_of(failing)
    failing.failing = DataError("checkpoint.directory", "s3://runs/a", "refuses the key", "allow PutObject")
    writer.save(made(1), b"")
    writer.finish()
    news = writer.news()
    assert (news.refused, news.failures) == (failing.failing, 1)
    assert writer.news().refused is failing.failing


def test_a_mistake_of_the_program_is_told_too(failing: FailingFolder, made, writer_of) -> None:
    writer = writer_of(failing)
    failing.failing = ZeroDivisionError()
    writer.save(made(1), b"")
    writer.finish()
    assert isinstance(writer.news().refused, ZeroDivisionError)


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Semaphore]:
    """Every sync fails as on a disk that is full; counts how often."""
    asked = threading.Semaphore(0)

    def refuse(_descriptor: int) -> None:
        asked.release()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        yield asked


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_waited_for(
    folder: FolderStore, made, writer_of, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    writer = writer_of(folder)
    with full_disk(monkeypatch) as asked:
        writer.save(made(1), b"")
        assert asked.acquire(timeout=PATIENCE_SECONDS)
        assert asked.acquire(timeout=PATIENCE_SECONDS)
    writer.finish()
    assert steps_in(folder) == [1]
    assert "cannot be used (No space left on device)" in caplog.text


@pytest.mark.usefixtures("quick")
def test_a_server_that_is_away_for_a_while_costs_no_checkpoint(s3_server, s3, made, writer_of) -> None:
    impatient = s3.config.model_copy(update={"retry_seconds": 0.2})
    store = open_store(f"{s3.url}/run", impatient, "checkpoint.directory")
    writer = writer_of(store)
    writer.save(made(1), b"")
    writer.finish()
    s3_server.stop()
    try:
        writer.save(made(2, size=3_000_000), b"")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not writer.news().failures:
            assert time.monotonic() < deadline
            # Only the writer's own word says that it has failed.
            time.sleep(0.01)
    finally:
        s3_server.start()
    writer.finish()
    found, skipped = newest(store)
    assert found is not None
    assert (found.mark.step, skipped) == (2, [])


def test_a_bucket_that_is_gone_stops_a_run_at_once(s3, made, writer_of) -> None:
    store = open_store(f"{s3.url}/run", s3.config, "checkpoint.directory")
    writer = writer_of(store)
    writer.save(made(1), b"")
    writer.finish()
    shutil.rmtree(s3.folder)
    writer.save(made(2), b"")
    writer.finish()
    refused = writer.news().refused
    assert isinstance(refused, DataError)
    assert s3.name in str(refused)


def test_a_key_that_is_not_known_stops_a_run_before_it_trains(s3, begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(DataError, match=r"^checkpoint.directory: "):
        begin(open_store(f"{s3.url}/run", s3.config, "checkpoint.directory"))


WRITES_UNTIL_KILLED = """
import itertools, sys
from pathlib import Path
import numpy as np
from trainer.checkpoint.attempt import claim
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.owner import Owner
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writer import Writer
from trainer.config import CheckpointConfig
from trainer.data.store.folder import FolderStore
store = FolderStore(Path(sys.argv[1]), "checkpoint.directory")
writer = Writer(store, claim(store, Owner.of({}), 60.0), CheckpointConfig(keep_last=2))
done = 0
for step in itertools.count(1):
    array = {"kernel": np.full(500_000, step, np.float32)}
    best = Mark(1, step // 3 * 3).folder if step > 2 else ""
    writer.save(Snapshot(array, array, State(step=step, best=best)), b"")
    done = max([done, *(each.mark.step for each in writer.news().commits)])
    print(done, flush=True)
"""


@pytest.mark.parametrize("written", [1, 2, 4, 7])
def test_a_kill_while_writing_leaves_only_good_checkpoints(folder: FolderStore, tmp_path: Path, written: int) -> None:
    command = [sys.executable, "-c", WRITES_UNTIL_KILLED, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if int(line) >= written)
        process.kill()
    found, skipped = newest(folder)
    assert found is not None
    assert found.mark.step >= written
    assert skipped == []
    for mark in reading.committed(folder.entries()):
        assert set(load(folder, mark).model["kernel"]) == {float(mark.step)}
