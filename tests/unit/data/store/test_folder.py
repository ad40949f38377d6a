"""What only a folder has: a full disk, half-written files of killed writers, names that a power cut may take."""

import errno
import os
from pathlib import Path

import pytest

from trainer.data.store.folder import FolderStore
from trainer.errors import CxrError, DataError, StoreDown


@pytest.fixture
def run(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "run", "checkpoint.directory")


def test_the_names_of_new_folders_are_on_the_disk_before_what_lies_in_them(
    run: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("trainer.data.store.folder.sync", synced.append)
    run.write("a/b/object", b"films")
    folder = tmp_path / "run"
    assert synced == [tmp_path, folder, folder / "a", folder / "a" / "b"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, StoreDown), (errno.EDQUOT, StoreDown), (errno.ESTALE, StoreDown), (errno.EROFS, DataError)],
)
def test_a_full_disk_is_worth_another_try_and_a_read_only_one_is_not(
    run: FolderStore, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[CxrError]
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(CxrError, match="cannot be used") as refused:
        run.write("a", b"films")
    assert type(refused.value) is kind
    monkeypatch.undo()
    assert list(run.entries()) == []


def test_what_killed_writers_left_is_swept_below_names_that_begin_so_and_nothing_else(
    run: FolderStore, tmp_path: Path
) -> None:
    run.write("step-1/whole", b"films")
    for name in ("step-1/.a.7.ab.partial", "step-2/.b.7.ab.partial", "scores/.c.7.ab.partial"):
        file = tmp_path / "run" / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    run.sweep("step-")
    left = {each.relative_to(tmp_path / "run").as_posix() for each in (tmp_path / "run").rglob("*")}
    assert left == {"step-1", "step-1/whole", "scores", "scores/.c.7.ab.partial"}
