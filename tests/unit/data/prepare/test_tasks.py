"""Which film goes into which shard, and whose task that is: the same for everybody who asks."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config import PrepareConfig
from trainer.data.prepare.tasks import archive_of, archive_shard, archive_shards, deal, films_per_shard, share
from trainer.data.shard.manifest import SPLITS
from trainer.data.source.record import Record
from trainer.data.source.sources import Place
from trainer.errors import DataError

SMALL = PrepareConfig(image_size=8, shard_mebibytes=0.004)

Names = dict[str, list[list[str]]]


def dealt(records: list[Record], seed: int) -> Names:
    """The films' names of every shard, by set."""
    files = {number: Place(0, record.film) for number, record in enumerate(records)}
    shards: Names = {}
    for shard in deal(records, files, SMALL.model_copy(update={"seed": seed})):
        assert shard.key.number == len(shards.setdefault(shard.key.split, []))
        shards[shard.key.split].append([records[number].film for number in shard.films])
    return shards


@given(
    films=st.dictionaries(st.text("abcdef", min_size=1), st.sampled_from(SPLITS), max_size=80),
    seed=st.integers(0, 9),
    chance=st.randoms(),
)
def test_dealing_depends_on_names_alone_and_leaves_nothing_out(
    films: dict[str, str], seed: int, chance: random.Random
) -> None:
    records = [Record(film, "p", (), split) for film, split in films.items()]
    shards = dealt(records, seed)
    chance.shuffle(records)
    assert dealt(records, seed) == shards
    for split in SPLITS:
        runs = shards.get(split, [])
        assert sorted(film for run in runs for film in run) == sorted(film for film in films if films[film] == split)
        lengths = [len(run) for run in runs]
        assert not lengths or 0 < max(lengths) <= films_per_shard(SMALL)
        assert not lengths or max(lengths) - min(lengths) <= 1


@given(films=st.integers(0, 30), archive=st.integers(0, 50), per_shard=st.integers(1, 7))
def test_the_shards_of_an_archive_are_its_own(films: int, archive: int, per_shard: int) -> None:
    keys = [archive_shard(archive, "test", before, per_shard) for before in range(films)]
    assert archive_shards(archive, {"test": films}, per_shard) == sorted(set(keys))
    assert all(archive_of(key) == archive for key in keys)
    assert all(keys.count(key) <= per_shard for key in keys)


def test_an_archive_of_too_many_shards_is_refused() -> None:
    with pytest.raises(DataError, match=r"^prepare.shard_mebibytes: 1 films a shard make more than 100000 "):
        archive_shard(0, "training", 100_000, 1)


@given(tasks=st.integers(0, 50), workers=st.integers(1, 9))
def test_every_task_is_one_workers(tasks: int, workers: int) -> None:
    shares = [share(range(tasks), worker, workers) for worker in range(workers)]
    assert sorted(each for one in shares for each in one) == list(range(tasks))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(("side", "films"), [(224, 1329), (1024, 63), (4096, 3)])
def test_a_shard_of_raw_films_takes_the_size_asked_for(side: int, films: int) -> None:
    assert films_per_shard(PrepareConfig(image_size=side)) == films
