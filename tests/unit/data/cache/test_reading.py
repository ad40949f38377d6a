"""Films from a real S3 server: the same as from a folder, for the bytes that are needed, whatever the cache holds."""

import gc
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.s3 import S3Server
from trainer.config import CacheConfig, DataConfig
from trainer.data.cache.tally import Event, Tally
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, scoring_batches, training_batches
from trainer.data.plan import EpochPlan
from trainer.data.shard.index import index_name
from trainer.data.shard.manifest import Manifest, sha256_of
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError, StoreDown

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


def paced(films: FilmSet, *, epoch: int = 0, slots: range = range(12), batch_size: int = 12) -> list[Batch]:
    """Read no faster than shards come."""
    batches = []
    plan = plan_of(films, epoch, batch_size)
    for batch in training_batches(films, plan, slots, first_batch=0, config=CONFIG):
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
        # One lane, which runs through one window of two shards after another.
        ours, theirs = (paced(each, epoch=epoch, slots=range(1), batch_size=1) for each in (films, local))
        assert same(ours, theirs)
    counts = settled(films, tally)
    assert counts["evictions"] > 2
    assert "failures" not in counts
    assert counts["direct_films"] < 100
    held = sum(path.stat().st_size for path in (tmp_path / "cache").iterdir())
    assert held <= 3.5 * max(each.bytes for each in films.manifest.shards)


def test_a_cache_smaller_than_a_shard_is_read_past(opened: OpenSet, local: FilmSet) -> None:
    films, tally = opened(gibibytes=gibibytes_of(local.manifest, 0.4))
    assert same(read(films), read(local))
    assert settled(films, tally)["direct_films"] >= 150


def shard_files(cache: Path) -> list[Path]:
    return sorted(path for path in cache.iterdir() if not path.suffix and path.name != ".lock")


@pytest.fixture
def cached(opened: OpenSet, tmp_path: Path) -> Path:
    """The folder of a cache that holds the whole set."""
    films, _ = opened()
    paced(films)
    films.close()
    return tmp_path / "cache"


@pytest.mark.usefixtures("cached")
def test_a_full_cache_needs_nothing_of_the_store(opened: OpenSet, local: FilmSet) -> None:
    films, tally = opened()
    assert same(read(films), read(local))
    assert not {"fetched_bytes", "misses"} & settled(films, tally).keys()


@pytest.mark.parametrize("damage", ["a flipped bit", "half a file", "an empty file"])
def test_a_damaged_file_of_the_cache_is_fetched_anew_and_counted(
    cached: Path, opened: OpenSet, local: FilmSet, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = shard_files(cached)[0]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    left = {"a flipped bit": len(content), "half a file": len(content) // 2, "an empty file": 0}[damage]
    damaged.write_bytes(content[:left])
    films, tally = opened()
    assert same(paced(films), read(local))
    counts = settled(films, tally)
    assert counts["corrupt"] >= 1
    assert "the cache has another SHA-256 than the manifest says; fetched again" in caplog.text
    assert len(content) <= counts["fetched_bytes"] < 2 * len(content)
    assert damaged.stat().st_size == len(content)


def test_a_damaged_index_of_the_cache_is_fetched_anew(cached: Path, opened: OpenSet, local: FilmSet) -> None:
    for path in cached.glob("*.index"):
        path.write_bytes(path.read_bytes()[:-3])
    films, tally = opened()
    assert same(read(films), read(local))
    assert settled(films, tally)["corrupt"] >= len(local.manifest.shards)


def test_a_shard_that_is_wrong_in_the_store_is_named_with_both_hashes(
    opened: OpenSet, remote_set: Store, local: FilmSet
) -> None:
    info = local.manifest.shards[2]
    content = bytearray(remote_set.read(info.name))
    content[5] ^= 1
    remote_set.write(info.name, bytes(content))
    found = sha256_of(bytes(content))[:12]
    films, _ = opened()
    said = f"{info.name}: ('{found}' is not the SHA-256 in the manifest, {info.sha256[:12]}|'record 0' is not what)"
    with pytest.raises(DataError, match=said):
        paced(films)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_read_only_cache_is_read_and_read_past(opened: OpenSet, local: FilmSet, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(cache)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        films, _ = opened()
        paced(films)
        films.close()
        shard_files(cache)[0].unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        films, tally = opened()
        assert same(paced(films), read(local))
        counts = settled(films, tally)
        assert counts["hits"] >= len(local.manifest.shards) - 1
        assert counts["direct_films"] >= 10
        assert counts["failures"] >= 1
        films.close()
    finally:
        gc.collect()
        subprocess.run(["umount", "-l", str(cache)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk_is_read_past(opened: OpenSet, local: FilmSet, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(cache)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        films, tally = opened()
        assert same(paced(films), read(local))
        counts = settled(films, tally)
        assert counts["direct_films"] > 0
        assert counts["failures"] > 0
        films.close()
    finally:
        gc.collect()
        subprocess.run(["umount", "-l", str(cache)], check=True)


def test_ranks_of_a_node_fetch_each_shard_once(opened: OpenSet, local: FilmSet, remote_set: Store) -> None:
    ranks = [opened() for _ in range(2)]
    halves = [range(6), range(6, 12)]
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda rank, half: paced(rank[0], slots=half), ranks, halves))
    for batches, half in zip(found, halves, strict=True):
        assert same(batches, read(local, slots=half))
    counts = sum((settled(*each) for each in ranks), Counter[Event]())
    whole = sum(each.bytes for each in local.manifest.shards) + 2 * index_bytes(remote_set, local.manifest)
    assert counts["fetched_bytes"] <= whole + 1500 * counts["direct_films"]


def test_a_store_that_is_down_ends_reading_and_comes_back(
    s3_server: S3Server, local: FilmSet, remote_set: Store
) -> None:
    impatient = open_store(
        remote_set.where, s3_server.config.model_copy(update={"retry_seconds": 0.2}), "data.training"
    )
    films = FilmSet.open(impatient, CacheConfig(directory="/proc/no/cache"))
    batches = training_batches(films, plan_of(films), range(12), first_batch=0, config=CONFIG)
    next(batches)
    s3_server.stop()
    try:
        with pytest.raises(StoreDown):
            list(batches)
    finally:
        s3_server.start()
    assert same(read(films, first=1), read(local, first=1))
