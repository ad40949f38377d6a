"""A run that was stopped in mid-epoch and started again is the run that was never stopped."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from trainer.checkpoint import history
from trainer.checkpoint.reading import newest
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.data.store.folder import FolderStore

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

Films = dict[tuple[int, int], list[object]]
"""(shard, record, weight) by slot, of each (epoch, batch)."""

BIT_EQUAL = "train.deterministic=true"


class Stopped(NamedTuple):
    """How a stopped job ended, with which exit code each rank left, its folder, and what was committed."""

    code: int
    left: dict[int, int]
    folder: Path
    state: State


@pytest.fixture(scope="module")
def stopped(start_job, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Stopped]:
    """A run stopped in mid-epoch: two ranks by SIGTERM to one of them, four by Ctrl-C."""
    kept: dict[int, Stopped] = {}

    def stop(ranks: int) -> Stopped:
        if ranks not in kept:
            folder = tmp_path_factory.mktemp(f"stopped_{ranks}")
            with start_job("train", folder, BIT_EQUAL, ranks=ranks, altered="record_films") as job:
                job.hears(r"epoch 1/2  step 3/19")
                if ranks == 2:
                    job.ranks()[1].send_signal(signal.SIGTERM)
                else:
                    job.process.send_signal(signal.SIGINT)
                kept[ranks] = Stopped(job.code(), job.left(), folder, _last(folder).state)
        return kept[ranks]

    return stop


@pytest.fixture(scope="module")
def resumed(start_job, stopped, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], Path]:
    """The folder of a run stopped on some ranks that was brought to its end on as many, or others."""
    kept: dict[tuple[int, int], Path] = {}

    def resume(before: int, now: int) -> Path:
        if (before, now) not in kept:
            folder = tmp_path_factory.mktemp(f"resumed_{before}_{now}")
            shutil.copytree(stopped(before).folder / "run", folder / "run")
            with start_job("train", folder, BIT_EQUAL, ranks=now, altered="record_films") as job:
                job.done()
            kept[before, now] = folder
        return kept[before, now]

    return resume


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_signal_stops_all_ranks_after_a_checkpoint(stopped, ranks: int) -> None:
    ended = stopped(ranks)
    assert ended.code == 143
    assert ended.left == dict.fromkeys(range(ranks), 143)


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_stopped_run_goes_on_bit_for_bit(never_stopped, stopped, resumed, ranks: int) -> None:
    assert 0 < stopped(ranks).state.batch < 19
    whole, again = _last(never_stopped(ranks)), _last(resumed(ranks, ranks))
    assert _bits(again) == _bits(whole)


@pytest.mark.parametrize("now", [1, 2])
def test_every_batch_holds_the_same_films_when_ranks_change(never_stopped, stopped, resumed, now: int) -> None:
    whole, again = _films(never_stopped(2)), _films(resumed(2, now))
    state = stopped(2).state
    assert min(again) == (state.epoch, state.batch)
    assert again == {batch: films for batch, films in whole.items() if batch >= min(again)}


def test_every_step_is_taken_once_when_ranks_change(resumed) -> None:
    steps = [row["step"] for row in history.read(_store(resumed(2, 1))) if row["kind"] == "step"]
    assert steps == list(range(1, 39))


def _store(folder: Path) -> FolderStore:
    return FolderStore(folder / "run", "checkpoint.directory")


def _last(folder: Path) -> Snapshot:
    found, _ = newest(_store(folder))
    assert found
    return found.snapshot


def _bits(found: Snapshot) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in (found.model | found.optimizer).items()}


def _films(folder: Path) -> Films:
    rows = [json.loads(line) for file in folder.glob("films-*.jsonl") for line in file.read_text().splitlines()]
    found: Films = {}
    for row in sorted(rows, key=lambda row: row["first_slot"]):
        found.setdefault((row["epoch"], row["batch"]), []).extend(row["films"])
    return found
