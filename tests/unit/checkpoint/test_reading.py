"""Checkpoints in a store: what is committed comes back whole, what is damaged is passed over with its reason."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import best, last, load, newest
from trainer.checkpoint.snapshot import State
from trainer.checkpoint.writing import commit
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError

FILES = ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def test_what_is_committed_comes_back_as_it_was(store: FolderStore, committed, made) -> None:
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


def test_the_newest_of_several_is_found(store: FolderStore, committed) -> None:
    committed(store, 9, 100, 20)
    assert last(store).mark.step == 100


def test_what_an_older_attempt_wrote_beyond_a_newer_ones_checkpoint_is_undone(store: FolderStore, committed) -> None:
    committed(store, 10, 30)
    committed(store, 20)
    assert last(store).mark == Mark(attempt=2, step=20)


def test_a_run_without_checkpoints_has_none(store: FolderStore) -> None:
    assert newest(store) == (None, [])
    for ask in (last, best):
        with pytest.raises(DataError, match=r"^checkpoint.directory: .* has no good checkpoint; train first"):
            ask(store)


def test_a_commit_tells_what_it_took(store: FolderStore, begin, made) -> None:
    done = commit(store, made(3), b"", begin(store))
    assert done.mark.folder == "step-000000003-attempt-000001"
    assert done.size_bytes == sum(store.size(done.mark.file(name)) or 0 for name in FILES[:3])


def test_a_checkpoint_without_manifest_does_not_exist(store: FolderStore, committed) -> None:
    _, newer = committed(store, 1, 2)
    store.delete([newer.file("manifest.json")])
    found, skipped = newest(store)
    assert found is not None
    assert (found.mark.step, skipped) == (1, [])
    with pytest.raises(DataError, match=r"'step-000000002-attempt-000001' was never committed \(no manifest.json\)"):
        load(store, newer)


@pytest.mark.parametrize("name", FILES[:3])
@pytest.mark.parametrize("damage", [flip, truncate, empty, Path.unlink])
def test_a_damaged_checkpoint_is_skipped_with_its_reason_and_the_older_one_used(
    store: FolderStore, committed, name: str, damage: Callable[[Path], None]
) -> None:
    _, newer = committed(store, 1, 2)
    damage(store.path(newer.file(name)))
    found, (reason,) = newest(store)
    assert found is not None
    assert found.mark.step == 1
    assert reason == f"checkpoint: '{newer.file(name)}' is not what its manifest says; use an older one"


@pytest.mark.parametrize("damage", [flip, truncate, empty])
def test_a_damaged_manifest_is_told(store: FolderStore, committed, damage: Callable[[Path], None]) -> None:
    _, newer = committed(store, 1, 2)
    damage(store.path(newer.file("manifest.json")))
    found, (reason,) = newest(store)
    assert found is not None
    assert found.mark.step == 1
    assert reason.startswith(f"checkpoint: '{newer.folder}")
    assert "\n" not in reason


def test_a_run_whose_every_checkpoint_is_damaged_says_why(store: FolderStore, committed) -> None:
    for mark in committed(store, 1, 2):
        flip(store.path(mark.file("model.safetensors")))
    with pytest.raises(DataError, match=r"no good checkpoint .*step-000000002.*/model.*step-000000001.*/model"):
        last(store)


def test_the_best_is_what_the_newest_good_one_says(store: FolderStore, begin, made) -> None:
    attempt = begin(store)
    first = commit(store, made(1), b"", attempt).mark
    commit(store, made(2, best=first.folder), b"", attempt)
    damaged = commit(store, made(3, best="step-000000003-attempt-000001"), b"", attempt).mark
    flip(store.path(damaged.file("state.json")))
    assert best(store).mark == first


def test_without_a_best_one_the_newest_is(store: FolderStore, committed) -> None:
    committed(store, 1, 2)
    assert best(store).mark.step == 2


def test_a_best_one_that_is_damaged_is_told(store: FolderStore, begin, made) -> None:
    attempt = begin(store)
    first = commit(store, made(1), b"", attempt).mark
    commit(store, made(2, best=first.folder), b"", attempt)
    flip(store.path(first.file("model.safetensors")))
    with pytest.raises(DataError, match=r"step-000000001-attempt-000001/model.safetensors' is not what"):
        best(store)


def test_what_is_only_scored_is_read_without_its_optimizer(store: FolderStore, committed) -> None:
    (mark,) = committed(store, 1)
    store.delete([mark.file("optimizer.safetensors")])
    assert last(store).snapshot.optimizer == {}
