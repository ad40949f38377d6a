"""Checkpoints: what is committed comes back whole, what is damaged is passed over, a kill leaves only good ones."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from trainer.checkpoint import files as checkpoint
from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.files import Arrays, Checkpoint, State, best, commit, last, load, newest
from trainer.checkpoint.writer import Writer
from trainer.errors import DataError

FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]


def made(step: int, *, size: int = 6) -> Checkpoint:
    model = {"conv/kernel": np.full((size, 2), step, np.float32), "norm/count": np.array(step, np.int64)}
    optimizer = {"conv/kernel/m": np.full((size, 2), -step, np.float64), "updates": np.array(step, np.int64)}
    return Checkpoint(model, optimizer, State(step=step, epoch=step // 10, batch=step % 10, run={"seed": 1}))


def committed(directory: Path, *steps: int) -> list[Path]:
    attempt = Attempt(directory)
    return [commit(directory, made(step), attempt).folder for step in steps]


def steps_in(directory: Path) -> list[int]:
    return sorted(int(each.name.removeprefix("step-")) for each in directory.glob("step-*"))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def test_what_is_committed_comes_back_as_it_was(tmp_path: Path) -> None:
    committed(tmp_path, 12)
    found, skipped = newest(tmp_path)
    assert found is not None
    assert found.state == State(step=12, epoch=1, batch=2, run={"seed": 1})
    for saved, read in ((made(12).model, found.model), (made(12).optimizer, found.optimizer)):
        assert {name: (each.dtype, each.shape) for name, each in read.items()} == {
            name: (each.dtype, each.shape) for name, each in saved.items()
        }
        assert all(np.array_equal(read[name], saved[name]) for name in saved)
    assert skipped == []


def test_the_newest_of_several_is_found(tmp_path: Path) -> None:
    committed(tmp_path, 9, 100, 20)
    found, _ = newest(tmp_path)
    assert found is not None
    assert found.state.step == 100


def test_a_run_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert newest(tmp_path) == (None, [])
    with pytest.raises(DataError, match=r"^checkpoint.directory: .* has no good checkpoint; train first"):
        last(tmp_path)


def test_a_checkpoint_with_strided_arrays_is_saved_by_value(tmp_path: Path) -> None:
    strided = np.arange(12, dtype=np.float32).reshape(3, 4).T
    commit(tmp_path, Checkpoint({"kernel": strided}, {"m": strided}, State(step=1)), Attempt(tmp_path))
    assert np.array_equal(load(tmp_path / "step-000000001").model["kernel"], strided)


def test_a_commit_tells_what_it_took(tmp_path: Path) -> None:
    done = commit(tmp_path, made(3), Attempt(tmp_path))
    assert done.folder == tmp_path / "step-000000003"
    assert done.size_bytes == sum((done.folder / name).stat().st_size for name in FILES[:3])


def test_a_step_committed_again_is_replaced(tmp_path: Path) -> None:
    committed(tmp_path, 5)
    commit(tmp_path, Checkpoint({"kernel": np.ones(2)}, {}, State(step=5, epoch=9)), Attempt(tmp_path))
    assert load(tmp_path / "step-000000005").state.epoch == 9


def test_a_folder_without_manifest_is_never_read(tmp_path: Path) -> None:
    _, newer = committed(tmp_path, 1, 2)
    (newer / "manifest.json").unlink()
    found, skipped = newest(tmp_path)
    assert found is not None
    assert found.state.step == 1
    assert skipped == ["checkpoint: 'step-000000002' was never committed (no manifest.json); use an older one"]


def test_a_partial_folder_is_not_a_checkpoint(tmp_path: Path) -> None:
    _, newer = committed(tmp_path, 1, 2)
    newer.rename(newer.with_suffix(".partial"))
    found, skipped = newest(tmp_path)
    assert found is not None
    assert (found.state.step, skipped) == (1, [])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [flip, truncate, empty, Path.unlink])
def test_a_damaged_checkpoint_is_skipped_with_its_reason_and_the_older_one_used(
    tmp_path: Path, name: str, damage: type
) -> None:
    _, newer = committed(tmp_path, 1, 2)
    damage(newer / name)
    found, (reason,) = newest(tmp_path)
    assert found is not None
    assert found.state.step == 1
    assert reason.startswith("checkpoint: 'step-000000002")
    assert reason.endswith("use an older one") or "use an older one, or delete it" in reason
    assert "\n" not in reason


def test_a_run_whose_every_checkpoint_is_damaged_says_why(tmp_path: Path) -> None:
    for folder in committed(tmp_path, 1, 2):
        flip(folder / "model.safetensors")
    with pytest.raises(DataError, match=r"no good checkpoint .*step-000000002/model.*step-000000001/model"):
        last(tmp_path)


def test_only_the_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    for step in range(1, 7):
        writer.start(made(step), best=step == 3)
    writer.wait()
    assert steps_in(tmp_path) == [3, 5, 6]
    assert best(tmp_path).name == "step-000000003"


def test_a_better_one_takes_the_place_of_the_best(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=1)
    for step in range(1, 6):
        writer.start(made(step), best=step in (2, 4))
    writer.wait()
    assert json.loads((tmp_path / "best.json").read_bytes()) == {"checkpoint": "step-000000004"}
    assert steps_in(tmp_path) == [4, 5]


def test_a_commit_tells_its_step_and_time_without_being_waited_for(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    assert writer.finished() is None
    before = time.time()
    writer.start(made(7))
    for _ in range(1000):
        if done := writer.finished():
            break
        time.sleep(0.01)
    assert done is not None
    assert done.step == 7
    assert before <= done.time <= time.time()
    assert writer.finished() is None
    assert writer.wait() is None


def test_without_a_best_one_the_newest_is(tmp_path: Path) -> None:
    committed(tmp_path, 1, 2)
    assert best(tmp_path).name == "step-000000002"


def test_a_damaged_word_on_the_best_one_is_told(tmp_path: Path) -> None:
    committed(tmp_path, 1)
    (tmp_path / "best.json").write_bytes(b'{"checkp')
    with pytest.raises(DataError, match=r"best.json' is damaged "):
        best(tmp_path)


def test_what_a_killed_write_left_is_cleared_away(tmp_path: Path) -> None:
    (folder,) = committed(tmp_path, 7)
    folder.rename(folder.with_name(f"{folder.name}.000001.new"))
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    writer.start(made(8))
    writer.wait()
    assert [each.name for each in tmp_path.glob("step-*")] == ["step-000000008"]


def test_a_damaged_newer_checkpoint_never_crowds_out_the_good_ones(tmp_path: Path) -> None:
    _, damaged = committed(tmp_path, 10, 30)
    flip(damaged / "model.safetensors")
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=1)
    writer.start(made(20))
    writer.wait()
    found, skipped = newest(tmp_path)
    assert found is not None
    assert (found.state.step, skipped) == (20, [])


def test_each_start_is_a_new_attempt(tmp_path: Path) -> None:
    assert [Attempt(tmp_path).number for _ in range(3)] == [1, 2, 3]


def test_an_older_attempts_commit_is_refused(tmp_path: Path) -> None:
    older = Attempt(tmp_path)
    newer = Attempt(tmp_path)
    with pytest.raises(DataError, match="belongs to attempt 2; this is attempt 1; let the newer one run"):
        commit(tmp_path, made(9), older)
    assert newest(tmp_path)[0] is None
    commit(tmp_path, made(9), newer)
    assert load(tmp_path / "step-000000009").state.step == 9


def test_a_late_writer_of_an_older_attempt_leaves_a_newer_ones_work_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = Attempt(tmp_path), Attempt(tmp_path)
    write = checkpoint.save_file

    def write_while_the_older_one_tries_too(arrays: Arrays, file: Path) -> None:
        monkeypatch.setattr(checkpoint, "save_file", write)
        write(arrays, file)
        with pytest.raises(DataError, match="belongs to attempt 2"):
            commit(tmp_path, Checkpoint({"late": np.zeros(1)}, {}, State(step=9)), older)

    monkeypatch.setattr(checkpoint, "save_file", write_while_the_older_one_tries_too)
    commit(tmp_path, made(9), newer)
    assert "late" not in load(tmp_path / "step-000000009").model


def test_an_older_attempt_clears_nothing_of_a_newer_one(tmp_path: Path) -> None:
    older = Attempt(tmp_path)
    (tmp_path / "step-000000009.000002.new").mkdir()
    Writer(tmp_path, older, keep_last=1).start(made(1))
    for _ in range(1000):
        if newest(tmp_path)[0]:
            break
        time.sleep(0.01)
    assert (tmp_path / "step-000000009.000002.new").is_dir()


def test_keeping_the_best_reads_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load", None)
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    for step in (1, 2, 3):
        writer.start(made(step), best=step == 1)
    writer.wait()
    assert steps_in(tmp_path) == [1, 2, 3]


def test_an_older_attempts_writer_says_so_at_its_next_call(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    Attempt(tmp_path)
    writer.start(made(1))
    with pytest.raises(DataError, match="belongs to attempt 2"):
        writer.start(made(2))


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """A disk that refuses more, for this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("call", [lambda writer: writer.start(made(2)), lambda writer: writer.wait()])
def test_a_disk_that_is_full_is_told_by_the_next_call(tmp_path: Path, call) -> None:  # type: ignore[no-untyped-def]
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    with files_of_at_most(100_000):
        writer.start(made(1, size=100_000))
        with pytest.raises(DataError, match=r"^checkpoint.directory: .* cannot be written \(.*; free or mount it$"):
            call(writer)
    assert newest(tmp_path)[0] is None


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"^checkpoint.directory: .* cannot be written "):
        Attempt(tmp_path / "file" / "run")


def test_a_writer_with_nothing_under_way_has_nothing_to_wait_for(tmp_path: Path) -> None:
    assert Writer(tmp_path, Attempt(tmp_path), keep_last=1).wait() is None


def test_each_start_gives_the_commit_before_it(tmp_path: Path) -> None:
    writer = Writer(tmp_path, Attempt(tmp_path), keep_last=2)
    assert writer.start(made(1)) is None
    before = writer.start(made(2))
    assert before is not None
    assert before.folder.name == "step-000000001"
    assert writer.wait() is not None


WRITES_UNTIL_KILLED = """
import itertools, sys
from pathlib import Path
import numpy as np
from trainer.checkpoint import files as checkpoint
from trainer.checkpoint.attempt import Attempt
from trainer.checkpoint.files import Arrays, Checkpoint, State
from trainer.checkpoint.writer import Writer
directory = Path(sys.argv[1])
writer = Writer(directory, Attempt(directory), keep_last=2)
for step in itertools.count(1):
    array = {"kernel": np.full(500_000, step, np.float32)}
    writer.start(Checkpoint(array, array, State(step=step)), best=step % 3 == 0)
    print(step - 1, flush=True)
"""


@pytest.mark.parametrize("written", [1, 2, 4, 7])
def test_a_kill_while_writing_leaves_only_good_checkpoints(tmp_path: Path, written: int) -> None:
    command = [sys.executable, "-c", WRITES_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if int(line) >= written)
        process.kill()
    found, skipped = newest(tmp_path)
    assert found is not None
    assert found.state.step >= written
    assert skipped == []
    for folder in (each.parent for each in tmp_path.glob("step-?????????/manifest.json")):
        assert set(load(folder).model["kernel"]) == {float(folder.name.removeprefix("step-"))}
