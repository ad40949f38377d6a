"""Over the real reader: whatever happens to the ranks, each film is seen once an epoch; an erring reader is caught."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import MakeSet
from tests.s3 import Bucket, S3Server
from tests.unit.audit.simulated import EPOCHS, Job, Start
from trainer.audit.examine import Report
from trainer.data.film_set import Arrays, FilmSet
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan, Slots
from trainer.data.store.opening import open_store

FILMS = 41
ROOM_FOR_TWO_SHARDS = 8000

STARTS = st.builds(
    Start,
    ranks=st.sampled_from([1, 2, 3, 4, 6, 12]),
    steps=st.integers(1, 5),
    checkpoint_every=st.integers(1, 3),
    death=st.sampled_from(["before the record", "amid the record", "before the commit", "after the commit"]),
    lose=st.frozensets(st.integers(0, 5), max_size=3),
)


@pytest.fixture(scope="module")
def training(make_set: MakeSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """41 films in 5 shards: 4 batches of 12 an epoch, the last one filled up with 7."""
    return make_set(tmp_path_factory.mktemp("films") / "training", "training", FILMS, side=8, films_per_shard=9)


@pytest.fixture
def job(training: Path, tmp_path: Path) -> Job:
    return Job(str(training), str(tmp_path / "run"))


@pytest.fixture(scope="module")
def bucket(s3_server: S3Server, training: Path) -> Iterator[Bucket]:
    """Holds the films; the environment reaches it."""
    bucket = s3_server.bucket()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        films = open_store(f"{bucket.url}/training", bucket.config, "data.training")
        for file in training.iterdir():
            films.upload(file.name, file)
        yield bucket


@settings(max_examples=25)
@given(starts=st.lists(STARTS, max_size=6), ranks=st.sampled_from([1, 2, 4]))
def test_each_film_is_seen_once_an_epoch_whatever_happens_to_the_ranks(
    training: Path, starts: list[Start], ranks: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Job(str(training), folder)
        proven(job, starts, ranks)


@settings(max_examples=12)
@given(starts=st.lists(STARTS, min_size=1, max_size=4), ranks=st.sampled_from([1, 2, 4]), room=st.booleans())
def test_each_film_is_seen_once_an_epoch_from_a_bucket_when_nodes_lose_their_cache(
    bucket: Bucket, starts: list[Start], ranks: int, room: bool
) -> None:
    with tempfile.TemporaryDirectory() as caches:
        run = f"{bucket.url}/{Path(caches).name}"
        job = Job(
            f"{bucket.url}/training",
            run,
            store=bucket.config,
            caches=Path(caches),
            cache_bytes=2**30 if room else ROOM_FOR_TWO_SHARDS,
        )
        proven(job, starts, ranks)


def proven(job: Job, starts: list[Start], ranks: int) -> None:
    """Runs all starts, then one to the end, and audits every film's pixels."""
    for start in starts:
        job.start(start)
    job.start(Start(ranks))
    report = job.audit()
    assert report.faults == []
    assert [(each.verdict, each.once, each.padding) for each in report.epochs] == [("once each", FILMS, 7)] * EPOCHS
    assert report.compared == FILMS


def test_steps_that_a_resume_undid_do_not_count(job: Job) -> None:
    job.start(Start(2, steps=3, checkpoint_every=2, death="before the commit"))
    job.start(Start(1))
    first, second = job.audit().epochs
    assert (first.undone, second.undone) == (1, 0)
    assert (first.attempts, first.world_sizes) == ((1, 2), (2, 1))


def test_an_unfinished_epoch_is_not_called_wrong(job: Job) -> None:
    job.start(Start(2, steps=6, checkpoint_every=1))
    report = job.audit()
    assert [each.verdict for each in report.epochs] == ["once each", "unfinished"]
    assert report.faults == []


def test_what_is_newer_than_the_newest_checkpoint_is_not_judged(job: Job) -> None:
    job.start(Start(2, steps=3, checkpoint_every=2, death="amid the record"))
    report = job.audit()
    assert [(each.verdict, each.batches_done, each.undone) for each in report.epochs] == [("unfinished", 2, 1)]
    assert report.faults == []


def altered(change: Callable[[Slots], Slots], batch: int) -> Callable[..., Iterator[Batch]]:
    """A reader of which gather reads otherwise than it was asked, in one batch of each epoch."""

    def reader(films: FilmSet, plan: EpochPlan, slots: range, **others: Any) -> Iterator[Batch]:
        wanted = plan.slots(batch, slots).record.tolist()
        gather = films.gather

        def wrong(asked: Slots) -> Arrays:
            return gather(change(asked) if asked.record.tolist() == wanted else asked)

        films.gather = wrong  # type: ignore[method-assign]
        return training_batches(films, plan, slots, **others)

    return reader


def one_film_twice(slots: Slots) -> Slots:
    return Slots(*(np.append(each[:1], each[:-1]) for each in (slots.shard, slots.record)), slots.weight)


def padding_that_counts(slots: Slots) -> Slots:
    return Slots(slots.shard, slots.record, np.ones_like(slots.weight))


def half_a_weight(slots: Slots) -> Slots:
    return Slots(slots.shard, slots.record, slots.weight * np.float32(0.5))


def skips_a_batch(films: FilmSet, plan: EpochPlan, slots: range, **others: Any) -> Iterator[Batch]:
    """Loses the second one."""
    for number, batch in enumerate(training_batches(films, plan, slots, **others)):
        if number != 1:
            yield batch


def gives_a_batch_twice(films: FilmSet, plan: EpochPlan, slots: range, **others: Any) -> Iterator[Batch]:
    """The first one, and never the last."""
    for number, first in ((number, number == 0) for number in range(plan.batches)):
        wanted = others | {"first_batch": max(0, number - 1) if not first else 0}
        yield next(training_batches(films, plan, slots, **wanted))


def takes_anothers_slots(films: FilmSet, plan: EpochPlan, slots: range, **others: Any) -> Iterator[Batch]:
    return training_batches(films, plan, range(len(slots)), **others)


def other_pixels(films: FilmSet, plan: EpochPlan, slots: range, **others: Any) -> Iterator[Batch]:
    """Says that it read what it was asked for, and gives the neighbour's pixels."""
    gather = films.gather

    def wrong(asked: Slots) -> Arrays:
        images, labels, slots = gather(asked)
        return Arrays(np.roll(images, 1, axis=0), labels, slots)

    films.gather = wrong  # type: ignore[method-assign]
    return training_batches(films, plan, slots, **others)


def train(training: Path, folder: Path, reader: Callable[..., Iterator[Batch]], ranks: int = 2) -> Report:
    job = Job(str(training), str(folder), reader)
    job.start(Start(ranks, steps=4))
    return job.audit()


def test_a_reader_that_gives_one_film_for_another_is_caught_and_both_are_named(training: Path, tmp_path: Path) -> None:
    report = train(training, tmp_path, altered(one_film_twice, batch=1))
    (epoch,) = report.epochs
    assert (epoch.verdict, len(epoch.twice), len(epoch.missing)) == ("WRONG", 2, 2)
    twice, missing = (next(line for line in report.faults if what in line) for what in ("seen twice", "never seen"))
    assert "epoch 1: film " in twice
    assert ".png (shard " in twice
    assert "batch 1 slot 0 (rank 0 of 2, attempt 1, weight 1); batch 1 slot 1" in twice
    assert ".png (shard " in missing


@pytest.mark.parametrize(
    ("reader", "what"),
    [
        (altered(padding_that_counts, batch=3), "was seen twice"),
        (altered(half_a_weight, batch=0), "a weight that is neither 0 nor 1"),
        (takes_anothers_slots, "was seen twice"),
        (skips_a_batch, "was never seen"),
        (gives_a_batch_twice, "was seen twice"),
        (other_pixels, "is stored with other pixels than were used"),
    ],
)
def test_a_reader_that_errs_is_caught(
    training: Path, tmp_path: Path, reader: Callable[..., Iterator[Batch]], what: str
) -> None:
    report = train(training, tmp_path, reader)
    assert any(what in line for line in report.faults), report.faults
