"""Ranks that die: the job ends at once, says which was first, and goes on later from what was committed."""

import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from trainer.checkpoint.reading import newest

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

ENDLESS = "train.epochs=100000"


class Killed(NamedTuple):
    """A job killed as a whole while it wrote step 3, started again, scraped, and ended by the death of one rank."""

    committed: int
    opening: str
    scrapes: tuple[str, str]
    metric_files: set[int]
    ranks: set[int]
    last_words: list[str]
    code: int
    seconds: float
    folder: Path


@pytest.fixture(scope="module")
def killed(start_job, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder, port = tmp_path_factory.mktemp("killed"), _free_port()
    settings = (ENDLESS, f"telemetry.port={port}", "checkpoint.every_steps=1")
    with start_job("train", folder, *settings, altered="endless_checkpoint") as job:
        job.hears("in the middle of step 3's checkpoint")
        job.kill()
        job.code()
        before, _ = newest(job.store)
    assert before
    with start_job("train", folder, *settings) as job:
        opening = job.hears("resumed from step")
        job.hears(r"step 6/19")
        early = _scrape(port)
        job.hears(r"step 9/19")
        late = _scrape(port)
        ranks = job.ranks()
        metrics = Path(ranks[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
        files = {int(re.findall(r"\d+", each.stem)[-1]) for each in metrics.iterdir()}
        alive = {each.pid for each in ranks.values()}
        heard, began = len(job.lines), time.monotonic()
        ranks[1].kill()
        code = job.code()
        seconds = time.monotonic() - began
        last_words = job.of_ranks(after=heard)
    return Killed(before.mark.step, opening, (early, late), files, alive, last_words, code, seconds, folder)


def test_a_job_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(killed: Killed) -> None:
    assert killed.committed == 2
    assert "resumed from step 2 (epoch 0, batch 2)" in killed.opening


def test_a_run_ends_soon_after_a_rank_is_killed(killed: Killed) -> None:
    assert killed.code == 137
    assert killed.seconds < 30


def test_the_killed_rank_is_named_before_any_other_complains(killed: Killed) -> None:
    assert killed.last_words[0] == "rank 1: ended by SIGKILL (exit 137); the run stops"


def test_metrics_of_all_ranks_are_served_while_they_train(killed: Killed) -> None:
    for scrape in killed.scrapes:
        assert _value(scrape, 'cxr_train_films_total{rank="0"}') > 0
        assert _value(scrape, 'cxr_train_films_total{rank="1"}') > 0


def test_the_step_that_is_served_advances(killed: Killed) -> None:
    early, late = (_value(each, "cxr_train_step") for each in killed.scrapes)
    assert 6 <= early < late


def test_metrics_come_from_no_process_but_the_ranks(killed: Killed) -> None:
    assert killed.metric_files == killed.ranks


def test_metrics_of_a_run_are_gone_after_it(killed: Killed) -> None:
    left = [each for each in killed.folder.glob("cxr-train-metrics-*") if any(each.iterdir())]
    # Of the job that was killed whole, whose launcher could tidy up nothing.
    assert len(left) == 1


@pytest.fixture(scope="module")
def unreadable(start_job, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A job of which rank 1 cannot read its third batch."""
    with start_job("train", tmp_path_factory.mktemp("unreadable"), ENDLESS, altered="unreadable_film") as job:
        job.code()
        yield job


def test_a_rank_that_raises_is_the_first_to_speak(unreadable) -> None:
    assert unreadable.of_ranks()[0] == "rank 1: data.training: 'shard-00000.tfrecord' is damaged; prepare it again"


def test_a_run_ends_with_the_code_of_the_rank_that_raised(unreadable) -> None:
    assert unreadable.code() == 3


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def _value(scrape: str, metric: str) -> float:
    found = re.search(rf"^{re.escape(metric)} (\S+)$", scrape, re.MULTILINE)
    assert found, f"{metric} is not in:\n{scrape}"
    return float(found[1])
