"""cxr-train audit, as a user calls it: a table and exit 0, or 3 and the first offenders; bad input in one line."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.conftest import MakeSet
from tests.unit.audit.simulated import Job, Start
from trainer.cli import app


@pytest.fixture(scope="module")
def training(make_set: MakeSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_set(tmp_path_factory.mktemp("films") / "training", "training", 41, side=8, films_per_shard=9)


@pytest.fixture
def run(training: Path, tmp_path: Path) -> Path:
    """Trained on two ranks, then on one."""
    job = Job(str(training), str(tmp_path / "run"))
    job.start(Start(2, steps=3))
    job.start(Start(1))
    return tmp_path / "run"


def ask(training: Path | str, run: Path, *more: str) -> Result:
    return CliRunner().invoke(
        app, ["audit", "--set", f"data.training={training}", "--set", f"checkpoint.directory={run}", *more]
    )


def test_a_good_run_is_a_table_and_exit_0(training: Path, run: Path) -> None:
    answer = ask(training, run)
    assert answer.exit_code == 0
    rows = [line.split() for line in answer.stdout.splitlines() if "once each" in line]
    assert rows == [
        ["1", "4/4", "41/41", "0", "0", "7", "0", "1,", "2", "2,", "1", "once", "each"],
        ["2", "4/4", "41/41", "0", "0", "7", "0", "2", "1", "once", "each"],
    ]
    assert answer.stderr == "no film was missed or seen twice; the pixels of 32 films are as they are stored\n"


def test_a_part_of_the_record_that_is_lost_is_exit_3(training: Path, run: Path) -> None:
    for lost in (run / "audit").glob("attempt-000002/epoch-000001*"):
        lost.unlink()
    answer = ask(training, run)
    assert answer.exit_code == 3
    assert "48 slots, the first is batch 0 slot 0, are not on record" in answer.stderr
    assert "never seen" not in answer.stderr


def test_steps_before_the_audit_was_on_are_not_on_record(training: Path, run: Path) -> None:
    shutil.rmtree(run / "audit" / "attempt-000001")
    answer = ask(training, run)
    assert answer.exit_code == 3
    assert "epoch 1: 36 slots, the first is batch 0 slot 0, are not on record; was data.audit off" in answer.stderr
    assert "epoch 2" not in answer.stderr


def test_pixels_that_are_not_those_of_the_set_are_exit_3(training: Path, run: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(training, tmp_path / "changed")
    shard = changed / "shard-00002.tfrecord"
    shard.write_bytes(bytes(each ^ 1 for each in shard.read_bytes()))
    answer = ask(changed, run, "--compare", "41")
    assert answer.exit_code == 3
    assert "is stored with other pixels than were used" in answer.stderr


def test_a_damaged_part_is_named(training: Path, run: Path) -> None:
    part = next((run / "audit" / "attempt-000001").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    answer = ask(training, run)
    assert answer.exit_code == 3
    assert answer.stderr.startswith(f"audit: 'audit/attempt-000001/{part.name}' is damaged (")
    assert answer.stderr.count("\n") == 1


def test_a_run_without_a_record_is_told_so(training: Path, run: Path) -> None:
    shutil.rmtree(run / "audit")
    answer = ask(training, run)
    assert answer.exit_code == 3
    assert "holds no record of films; train with data.audit=true, or correct the path" in answer.stderr


def test_another_set_is_refused(make_set: MakeSet, run: Path, tmp_path: Path) -> None:
    other = make_set(tmp_path / "other", "training", 41, side=8, films_per_shard=9, seed=5)
    answer = ask(other, run)
    assert answer.exit_code == 3
    assert "is not the set that the run was trained on" in answer.stderr


def test_a_run_without_a_checkpoint_is_told_so(training: Path, tmp_path: Path) -> None:
    answer = ask(training, tmp_path / "nowhere")
    assert (answer.exit_code, "has no checkpoint" in answer.stderr) == (3, True)


def test_the_set_has_to_be_named(run: Path) -> None:
    answer = ask("", run)
    assert (answer.exit_code, "data.training: '' is empty" in answer.stderr) == (2, True)
