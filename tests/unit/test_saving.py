"""Saving, on values alone: what is told is told before what stops the run, and a wait at the end has an end."""

from types import SimpleNamespace
from typing import Any

import pytest

from trainer.checkpoint.writer import News
from trainer.collectives import SingleRank
from trainer.errors import DataError, StoreDown
from trainer.saving import finish, hear

REFUSED = DataError("checkpoint.directory", "s3://runs/a", "refuses the key", "allow PutObject")
SUPERSEDED = DataError("checkpoint.directory", "s3://runs/a", "belongs to attempt 2", "let it run")
UNSAVED = StoreDown("checkpoint.directory", "s3://runs/a", "has not taken step 3", "start again")


class Told:
    """What a monitor was told."""

    def __init__(self) -> None:
        self.news: list[News] = []
        self.has_ended = False
        self.pulse = SimpleNamespace(enter=lambda phase: phase)

    def checkpoints(self, news: News) -> None:
        self.news.append(news)

    def ended(self) -> None:
        self.has_ended = True


def run_of(news: News, *, lost: DataError | None = None, unsaved: StoreDown | None = None) -> Any:
    def wait() -> None:
        if unsaved:
            raise unsaved

    writer = SimpleNamespace(news=lambda: news, finish=wait)
    return SimpleNamespace(writer=writer, lease=SimpleNamespace(lost=lost), ranks=SingleRank())


@pytest.mark.parametrize(
    ("run", "error"),
    [(run_of(News(failures=1, refused=REFUSED)), REFUSED), (run_of(News(), lost=SUPERSEDED), SUPERSEDED)],
)
def test_what_no_waiting_mends_stops_the_run_once_it_is_counted(run: Any, error: DataError) -> None:
    told = Told()
    with pytest.raises(DataError) as stopped:
        hear(run, told)  # type: ignore[arg-type]
    assert stopped.value is error
    assert len(told.news) == 1


def test_a_store_that_is_down_does_not_stop_the_run() -> None:
    told = Told()
    hear(run_of(News(failures=3, pending=2)), told)  # type: ignore[arg-type]
    assert (told.news[0].failures, told.news[0].pending) == (3, 2)


def test_a_rank_that_does_not_write_hears_nothing() -> None:
    told = Told()
    hear(SimpleNamespace(writer=None, lease=None), told)  # type: ignore[arg-type]
    assert told.news == []


def test_a_run_that_could_not_save_its_last_steps_says_so_and_has_not_ended_well() -> None:
    told = Told()
    with pytest.raises(StoreDown, match="has not taken step 3"):
        finish(run_of(News(failures=9, pending=1), unsaved=UNSAVED), told)  # type: ignore[arg-type]
    assert told.news[0].failures == 9
    assert not told.has_ended


def test_a_run_whose_last_checkpoint_is_refused_fails_by_that() -> None:
    with pytest.raises(DataError, match="refuses the key"):
        finish(run_of(News(failures=1, refused=REFUSED)), Told())  # type: ignore[arg-type]


def test_a_run_that_has_saved_all_has_ended() -> None:
    told = Told()
    finish(run_of(News()), told)  # type: ignore[arg-type]
    assert told.has_ended
