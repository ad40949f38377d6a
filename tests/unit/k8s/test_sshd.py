"""A user id that nobody knows gets a name that ssh and sshd accept."""

import os
import pwd
from pathlib import Path

import pytest

from k8s.sshd import name_this_user
from trainer.errors import ClusterError


@pytest.fixture
def unknown_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for its passwd entry."""

    def unknown(user: int) -> pwd.struct_passwd:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(os, "getuid", lambda: 123456)
    monkeypatch.setenv("HOME", "/home/cxr")
    return tmp_path


@pytest.mark.parametrize(("group", "kept"), [(123456, 123456), (0, 100), (499, 100)])
def test_an_unknown_user_gets_an_entry_whose_group_is_not_passed_over(
    unknown_user: Path, monkeypatch: pytest.MonkeyPatch, group: int, kept: int
) -> None:
    monkeypatch.setattr(os, "getgid", lambda: group)
    name_this_user(unknown_user / "passwd")
    entry = f"cxr-123456:x:123456:{kept}:cxr-train:/home/cxr:/bin/sh\n"
    assert (unknown_user / "passwd").read_text() == entry


def test_a_folder_that_cannot_be_written_is_told(unknown_user: Path) -> None:
    with pytest.raises(ClusterError, match="hinders the passwd entry of user id 123456; mount an emptyDir there"):
        name_this_user(unknown_user / "nowhere" / "passwd")


def test_a_user_with_a_name_keeps_it(tmp_path: Path) -> None:
    name_this_user(tmp_path / "passwd")
    assert not (tmp_path / "passwd").exists()
