"""Checkpoints in a store: what is committed comes back whole, what is damaged is passed over with its reason."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import best, last, load, newest
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.data.store.store import Store
from trainer.errors import DataError

MEBIBYTE = 2**20
FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]


def flip(store: Store, name: str) -> None:
    content = bytearray(store.read(name))
    content[len(content) // 2] ^= 1
    store.write(name, bytes(content))


def truncate(store: Store, name: str) -> None:
    store.write(name, store.read(name)[:-7])


def empty(store: Store, name: str) -> None:
    store.write(name, b"")


def delete(store: Store, name: str) -> None:
    store.delete([name])


def test_what_is_committed_comes_back_as_it_was(store: Store, committed, made) -> None:
    committed(store, 12)
    found, skipped = newest(store)
    assert found is not None
    assert found.mark == Mark(attempt=1, step=12)
    assert found.snapshot.state == State(step=12, epoch=1, batch=2, run={"seed": 1})
    for saved, read in ((made(12).model, found.snapshot.model), (made(12).optimizer, found.snapshot.optimizer)):
        assert {name: (each.dtype, each.shape) for name, each in read.items()} == {
            name: (each.dtype, each.shape) for name, each in saved.items()
        }
        assert all(np.array_equal(read[name], saved[name]) for name in saved)
    assert skipped == []


def test_the_newest_of_several_is_found(store: Store, committed) -> None:
    committed(store, 9, 100, 20)
    assert last(store).mark.step == 100


def test_what_an_older_attempt_wrote_beyond_a_newer_ones_checkpoint_is_undone(store: Store, committed) -> None:
    committed(store, 10, 30)
    committed(store, 20)
    assert last(store).mark == Mark(attempt=2, step=20)


def test_a_run_without_checkpoints_has_none(store: Store) -> None:
    assert newest(store) == (None, [])
    for ask in (last, best):
        with pytest.raises(DataError, match=r"^checkpoint.directory: .* has no good checkpoint; train first"):
            ask(store)


def test_a_commit_tells_what_it_took(store: Store, begin, made) -> None:
    done = commit(store, made(3), b"", begin(store))
    assert done.mark.folder == "step-000000003-attempt-000001"
    assert done.size_bytes == sum(store.size(done.mark.file(name)) or 0 for name in FILES[:3])


def test_a_checkpoint_without_manifest_does_not_exist(store: Store, committed) -> None:
    _, newer = committed(store, 1, 2)
    store.delete([newer.file("manifest.json")])
    found, skipped = newest(store)
    assert found is not None
    assert (found.mark.step, skipped) == (1, [])
    with pytest.raises(DataError, match=r"'step-000000002-attempt-000001' was never committed \(no manifest.json\)"):
        load(store, newer)


@pytest.mark.parametrize("name", FILES[:3])
@pytest.mark.parametrize("damage", [flip, truncate, empty, delete])
def test_a_damaged_checkpoint_is_skipped_with_its_reason_and_the_older_one_used(
    store: Store, committed, name: str, damage: Callable[[Store, str], None]
) -> None:
    _, newer = committed(store, 1, 2)
    damage(store, newer.file(name))
    found, (reason,) = newest(store)
    assert found is not None
    assert found.mark.step == 1
    assert reason == f"checkpoint: '{newer.file(name)}' is not what its manifest says; use an older one"


@pytest.mark.parametrize("damage", [flip, truncate, empty])
def test_a_damaged_manifest_is_told(store: Store, committed, damage: Callable[[Store, str], None]) -> None:
    _, newer = committed(store, 1, 2)
    damage(store, newer.file("manifest.json"))
    found, (reason,) = newest(store)
    assert found is not None
    assert found.mark.step == 1
    assert reason.startswith(f"checkpoint: '{newer.folder}")
    assert "\n" not in reason


def test_a_run_whose_every_checkpoint_is_damaged_says_why(store: Store, committed) -> None:
    for mark in committed(store, 1, 2):
        flip(store, mark.file("model.safetensors"))
    with pytest.raises(DataError, match=r"no good checkpoint .*step-000000002.*/model.*step-000000001.*/model"):
        last(store)


def test_the_best_is_what_the_newest_good_one_says(store: Store, begin, made) -> None:
    attempt = begin(store)
    first = commit(store, made(1), b"", attempt).mark
    commit(store, made(2, best=first.folder), b"", attempt)
    damaged = commit(store, made(3, best="step-000000003-attempt-000001"), b"", attempt).mark
    flip(store, damaged.file("state.json"))
    assert best(store).mark == first


def test_without_a_best_one_the_newest_is(store: Store, committed) -> None:
    committed(store, 1, 2)
    assert best(store).mark.step == 2


def test_a_best_one_that_is_damaged_is_told(store: Store, begin, made) -> None:
    attempt = begin(store)
    first = commit(store, made(1), b"", attempt).mark
    commit(store, made(2, best=first.folder), b"", attempt)
    flip(store, first.file("model.safetensors"))
    with pytest.raises(DataError, match=r"step-000000001-attempt-000001/model.safetensors' is not what"):
        best(store)


def test_what_is_only_scored_is_read_without_its_optimizer(store: Store, committed) -> None:
    (mark,) = committed(store, 1)
    store.delete([mark.file("optimizer.safetensors")])
    assert last(store).snapshot.optimizer == {}


def test_writing_a_checkpoint_takes_no_second_copy_of_it(store: Store, begin) -> None:
    weights = np.ones(32 * MEBIBYTE, np.float32)
    attempt = begin(store)
    tracemalloc.start()
    commit(store, Snapshot({"kernel": weights}, {}, State(step=1)), b"", attempt)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < weights.nbytes / 2


def test_reading_a_checkpoint_takes_one_copy_of_it_and_a_few_ranges(store: Store, begin) -> None:
    weights = np.ones(64 * MEBIBYTE, np.float32)
    mark = commit(store, Snapshot({"kernel": weights}, {}, State(step=1)), b"", begin(store)).mark
    tracemalloc.start()
    found = load(store, mark)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.model["kernel"].nbytes == weights.nbytes
    assert peak < 1.5 * weights.nbytes
