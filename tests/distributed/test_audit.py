"""Real ranks that die, return fewer and more: the audit proves each film once an epoch, or catches a reader."""

import shutil
import signal
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner, Result

from tests.s3 import Bucket
from trainer.audit.standing import standing
from trainer.cli import app
from trainer.data.store.opening import open_store

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

ENDLESS = "train.epochs=100000"


class Place(NamedTuple):
    """Where the films and the run are: in a bucket that jobs reach by their environment."""

    bucket: Bucket
    cache: Path

    @property
    def run(self) -> str:
        return f"{self.bucket.url}/run"

    def settings(self) -> list[str]:
        return [
            f"data.training={self.bucket.url}/training",
            f"data.cache.directory={self.cache}",
            "data.validation=",
            f"checkpoint.directory={self.run}",
        ]


@pytest.fixture
def place(small_sets: Path, s3: Bucket, tmp_path: Path) -> Place:
    films = open_store(f"{s3.url}/training", s3.config, "data.training")
    for file in (small_sets / "training").iterdir():
        films.upload(file.name, file)
    return Place(s3, tmp_path / "cache")


def test_each_film_is_seen_once_an_epoch_when_a_rank_is_killed_and_others_go_on(
    start_job, place: Place, tmp_path: Path
) -> None:
    settings = [*place.settings(), "data.audit=true", "checkpoint.every_steps=3"]
    with start_job("train", tmp_path, *settings, ENDLESS, ranks=2) as job:
        job.hears(r"epoch 2/\d+  step 7/19")
        job.ranks()[1].kill()
        assert job.code() == 137
    with start_job("train", tmp_path, *settings, ENDLESS, ranks=1) as job:
        job.hears("resumed from step")
        job.hears(r"step 8/19")
        # A node that is gone takes its cache with it.
        job.process.send_signal(signal.SIGKILL)
        job.code()
    shutil.rmtree(place.cache)
    reached = standing(open_store(place.run, place.bucket.config, "checkpoint.directory"))
    assert reached
    with start_job("train", tmp_path, *settings, f"train.epochs={reached.epoch + 1}", ranks=2) as job:
        job.done()
    answer = audit(place)
    assert answer.exit_code == 0, answer.output
    rows = [line.split() for line in answer.stdout.splitlines() if "once each" in line]
    assert [row[:7] for row in rows] == [
        [str(epoch + 1), "19/19", "150/150", "0", "0", "2", row[6]] for epoch, row in enumerate(rows)
    ]
    assert len(rows) == reached.epoch + 1
    assert {attempt for row in rows for attempt in row[7:-3]} >= {"1", "3"}


def test_a_reader_that_gives_one_film_twice_is_caught(start_job, place: Place, tmp_path: Path) -> None:
    settings = [*place.settings(), "data.audit=true", "train.epochs=1"]
    with start_job("train", tmp_path, *settings, ranks=1, altered="film_read_twice") as job:
        job.done()
    answer = audit(place)
    assert answer.exit_code == 3
    assert "was seen twice: batch 1 slot 0 (rank 0 of 1, attempt 1, weight 1); batch 1 slot 1" in answer.stderr
    assert "was never seen" in answer.stderr


def audit(place: Place) -> Result:
    settings = [part for each in place.settings() for part in ("--set", each)]
    return CliRunner().invoke(app, ["audit", *settings])
