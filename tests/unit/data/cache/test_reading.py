"""Films from a real S3 server: the same as from a folder, for the bytes that are needed, whatever the cache holds."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.config import CacheConfig, DataConfig
from trainer.data.cache.tally import Event, Tally
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, scoring_batches, training_batches
from trainer.data.plan import EpochPlan
from trainer.data.shard.index import index_name
from trainer.data.shard.manifest import Manifest
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Store

CONFIG = DataConfig()
OpenSet = Callable[..., tuple[FilmSet, Tally]]


@pytest.fixture
def opened(remote_set: Store, tmp_path: Path) -> OpenSet:
    """Opens the set of the server, with a cache of the test's own."""

    def opened(**cache: object) -> tuple[FilmSet, Tally]:
        tally = Tally()
        config = CacheConfig.model_validate({"directory": str(tmp_path / "cache"), **cache})
        return FilmSet.open(remote_set, config, tell=tally.add), tally

    return opened


@pytest.fixture
def local(local_set: Path) -> FilmSet:
    return FilmSet.open(FolderStore(local_set, "data.training"))


def plan_of(films: FilmSet, epoch: int = 0, batch_size: int = 12) -> EpochPlan:
    return EpochPlan(films.records_per_shard, seed=1, epoch=epoch, global_batch_size=batch_size, window_shards=2)


def read(films: FilmSet, *, epoch: int = 0, slots: range = range(12), first: int = 0) -> list[Batch]:
    return list(training_batches(films, plan_of(films, epoch), slots, first_batch=first, config=CONFIG))


def paced(films: FilmSet, *, epoch: int = 0, slots: range = range(12)) -> list[Batch]:
    """Read no faster than shards come."""
    batches = []
    for batch in training_batches(films, plan_of(films, epoch), slots, first_batch=0, config=CONFIG):
        films.settle()
        batches.append(batch)
    return batches


def same(a: list[Batch], b: list[Batch]) -> bool:
    pairs = [(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)]
    return all(np.array_equal(x.numpy(), y.numpy(), equal_nan=True) for x, y in pairs)


def size_of(manifest: Manifest, shard: int) -> int:
    return manifest.shards[shard].bytes


def index_bytes(store: Store, manifest: Manifest) -> int:
    return sum(store.size(index_name(each.name)) or 0 for each in manifest.shards)


def gibibytes_of(manifest: Manifest, shards: float) -> float:
    """GiB that hold so many shards."""
    return shards * max(each.bytes for each in manifest.shards) / 2**30


def test_batches_from_a_bucket_are_those_from_a_folder_bit_by_bit(opened: OpenSet, local: FilmSet) -> None:
    films, _ = opened()
    for epoch in range(3):
        assert same(read(films, epoch=epoch), read(local, epoch=epoch))
    assert films.digest == local.digest


def test_a_resume_in_mid_epoch_reads_the_rest(opened: OpenSet, local: FilmSet) -> None:
    films, _ = opened()
    assert same(read(films, slots=range(4, 8), first=7), read(local, slots=range(4, 8), first=7))


def test_a_scoring_pass_over_a_bucket_is_that_over_a_folder(opened: OpenSet, local: FilmSet) -> None:
    films, _ = opened()
    passes = [list(scoring_batches(each, range(1, 10, 2), batch_size=16, config=CONFIG)) for each in (films, local)]
    assert same(*passes)


def test_labels_names_and_patients_come_without_the_shards(opened: OpenSet, local: FilmSet, remote_set: Store) -> None:
    films, tally = opened()
    assert np.array_equal(films.labels(), local.labels(), equal_nan=True)
    assert (films.ids(), films.patients()) == (local.ids(), local.patients())
    assert tally.taken()["fetched_bytes"] == index_bytes(remote_set, films.manifest)


def test_an_epoch_fetches_each_shard_once_and_the_next_none(opened: OpenSet, remote_set: Store) -> None:
    films, tally = opened()
    paced(films)
    first = settled(films, tally)
    whole = sum(each.bytes for each in films.manifest.shards) + index_bytes(remote_set, films.manifest)
    assert whole <= first["fetched_bytes"] <= whole + first["direct_films"] * 1500
    read(films, epoch=1)
    assert "fetched_bytes" not in settled(films, tally)


def settled(films: FilmSet, tally: Tally) -> Counter[Event]:
    """The counts once nothing is on its way any more."""
    films.settle()
    return Counter(tally.taken())


def test_a_ranks_traffic_is_what_its_slots_need(opened: OpenSet, remote_set: Store) -> None:
    films, tally = opened()
    needed = {need.shard for need in plan_of(films).needs(range(3))}
    then = {need.shard for need in plan_of(films, 1).needs(range(3))}
    assert len(needed) < len(films.manifest.shards)
    paced(films, slots=range(3))
    counts = settled(films, tally)
    bound = sum(size_of(films.manifest, each) for each in needed | then)
    least = sum(size_of(films.manifest, each) for each in needed)
    extra = index_bytes(remote_set, films.manifest) + counts["direct_films"] * 1500
    assert least <= counts["fetched_bytes"] <= bound + extra


def test_a_set_larger_than_the_cache_streams_through_it(opened: OpenSet, local: FilmSet, tmp_path: Path) -> None:
    films, tally = opened(gibibytes=gibibytes_of(local.manifest, 3.5), fetches=2)
    for epoch in range(2):
        assert same(paced(films, epoch=epoch), read(local, epoch=epoch))
    counts = settled(films, tally)
    assert counts["evictions"] > 0
    held = sum(path.stat().st_size for path in (tmp_path / "cache").iterdir())
    assert held <= 3.5 * max(each.bytes for each in films.manifest.shards)


def test_a_cache_smaller_than_a_shard_is_read_past(opened: OpenSet, local: FilmSet) -> None:
    films, tally = opened(gibibytes=gibibytes_of(local.manifest, 0.4))
    assert same(read(films), read(local))
    assert settled(films, tally)["direct_films"] >= 150
