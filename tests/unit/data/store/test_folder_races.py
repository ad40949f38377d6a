"""What is a folder's alone: files that vanish while they are listed, links, rights, and what a killed writer leaves."""

import os
import threading
import time
from pathlib import Path

import pytest

from tests.disk import small_disk
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import NotThere
from trainer.errors import DataError, StoreDown


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", "data.training")


def test_a_listing_holds_while_files_vanish_and_come(store: FolderStore) -> None:
    for number in range(300):
        store.write(f"{number % 7}/{number:03}", b"x")
    ended = threading.Event()

    def churn() -> None:
        while not ended.is_set():
            store.delete(f"{number % 7}/{number:03}" for number in range(100, 300))
            for number in range(100, 300):
                store.write(f"{number % 7}/{number:03}", b"x")

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        for _ in range(20):
            listed = [each.name for each in store.entries()]
            assert listed == sorted(set(listed))
            assert {name for name in listed if name[2:] < "100"} == {f"{n % 7}/{n:03}" for n in range(100)}
    finally:
        ended.set()
        churning.join()


@pytest.mark.parametrize("sync_seconds", [0.0, 0.005])
def test_a_folder_is_made_again_that_another_has_just_tidied_away(
    store: FolderStore, sync_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.data.store.folder.sync", lambda _: time.sleep(sync_seconds))
    ended = threading.Event()

    def tidy() -> None:
        while not ended.is_set():
            store.delete(["a/b/gone"])

    tidying = threading.Thread(target=tidy)
    tidying.start()
    try:
        for _ in range(100):
            store.write("a/b/c", b"x")
            store.delete(["a/b/c"])
    finally:
        ended.set()
        tidying.join()


def test_what_a_killed_writer_leaves_is_hidden(store: FolderStore) -> None:
    sink = store.writing("a")
    sink.__enter__().write(b"half")
    assert list(store.entries()) == []
    assert store.size("a") is None
    with pytest.raises(NotThere):
        store.read("a")
    sink.__exit__(None, None, None)
    assert store.read("a") == b"half"


def test_a_dangling_link_is_not_there(store: FolderStore, tmp_path: Path) -> None:
    store.write("a", b"x")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "nowhere")
    assert [each.name for each in store.entries()] == ["a"]
    assert store.size("link") is None
    with pytest.raises(NotThere):
        store.read("link")


def test_a_folder_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    store = FolderStore(tmp_path / "file", "data.training")
    assert store.size("a") is None
    with pytest.raises(DataError, match="cannot be used"):
        store.write("a", b"x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_a_folder_without_the_right_is_said_to_be_one(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match=r"cannot be used \(Permission denied\)"):
        FolderStore(tmp_path, "data.training").write("a", b"x")
    tmp_path.chmod(0o700)


def test_a_file_that_is_not_here_is_no_object_that_is_not_there(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.upload("a", tmp_path / "none")


def test_what_a_writers_own_block_raises_is_not_the_folders_error(store: FolderStore) -> None:
    def write() -> None:
        with store.writing("a") as sink:
            sink.write(b"x")
            raise PermissionError("of something else")

    with pytest.raises(PermissionError, match="of something else"):
        write()
    assert list(store.entries()) == []


def test_a_disk_that_is_full_is_told_as_the_folders_error() -> None:
    try:
        with small_disk(64) as disk:
            store = FolderStore(disk, "checkpoint.directory")
            with pytest.raises(StoreDown, match=r"checkpoint\.directory: .*cannot be used \(No space left on device\)"):
                store.write("a", bytes(2**20))
            assert list(disk.iterdir()) == []
            store.write("b", b"x")
    except OSError as error:
        pytest.skip(str(error))
