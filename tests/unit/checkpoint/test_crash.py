"""A job that dies between any two writes: what was committed is found again, and the best is never lost."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import best, committed, load, newest
from trainer.checkpoint.writer import Writer
from trainer.config import CheckpointConfig
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Sink

STEPS = (5, 10, 15, 20, 25)
BEST = 10


class Died(Exception):
    """The writer ends here, as if its process had."""


class Mortal(FolderStore):
    """A folder whose user dies before its n-th change; nothing is changed afterwards."""

    def __init__(self, folder: Path, changes: int) -> None:
        super().__init__(folder, "checkpoint.directory")
        self.left = changes

    def writing(self, name: str) -> AbstractContextManager[Sink]:
        self._change()
        return super().writing(name)

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._change()
            super().delete([name])

    def _change(self) -> None:
        if not self.left:
            raise Died
        self.left -= 1


def train(store: FolderStore, made, begin) -> list[int]:
    """Saves at every step what the settings keep; the steps that were told to be committed."""
    attempt = begin(store)
    writer = Writer(store, attempt, CheckpointConfig(keep_last=1, keep_every_epochs=2))
    told: list[int] = []
    for step in STEPS:
        writer.save(made(step, attempt=attempt.number, best=Mark(attempt.number, BEST).folder * (step >= BEST)), b"")
        writer.finish()
        news = writer.news()
        told += [each.mark.step for each in news.commits]
        if news.refused:
            break
    writer.close()
    return told


def changes_of_a_whole_run(folder: Path, made, begin) -> int:
    store = Mortal(folder, 10**6)
    train(store, made, begin)
    return 10**6 - store.left


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory, made, begin) -> int:
    return changes_of_a_whole_run(tmp_path_factory.mktemp("whole"), made, begin)


def test_whenever_a_job_dies_the_next_one_goes_on_from_what_was_committed(
    tmp_path: Path, made, begin, changes: int
) -> None:
    for left in range(changes):
        folder = tmp_path / str(left)
        told = train(Mortal(folder, left), made, begin)
        survivor = FolderStore(folder, "checkpoint.directory")
        found, skipped = newest(survivor)
        assert skipped == []
        assert (found.mark.step if found else 0) >= max(told, default=0)
        if found and found.mark.step >= BEST:
            assert best(survivor).mark.step == BEST
        if found and found.mark.step > 20:
            assert load(survivor, Mark(1, 20)).state.epoch == 2


def test_the_next_job_clears_away_what_a_dead_one_left(tmp_path: Path, made, begin, changes: int) -> None:
    for left in range(0, changes, 3):
        folder = tmp_path / str(left)
        train(Mortal(folder, left), made, begin)
        survivor = FolderStore(folder, "checkpoint.directory")
        train(survivor, made, begin)
        marks = committed(survivor.entries())
        assert [mark.step for mark in marks] == [25, 20, 10]
        assert {each for each in survivor.folders() if each.startswith("step-")} == {each.folder for each in marks}
