"""Kills for want of memory are seen under either version of control groups."""

from pathlib import Path

from k8s.cgroup import Memory


def test_version_2(tmp_path: Path):
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 1\n")
    (tmp_path / "memory.max").write_text("2147483648\n")
    memory = Memory(tmp_path)
    assert memory.new_kills() == 0
    (tmp_path / "memory.events").write_text("low 0\noom 9\noom_kill 3\n")
    assert memory.new_kills() == 2
    assert memory.new_kills() == 0
    assert memory.limit() == "its limit of 2.00 GiB"


def test_version_1(tmp_path: Path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    memory = Memory(tmp_path)
    assert memory.kills() == 4
    assert memory.limit_bytes() is None
    assert memory.limit() == "the node's memory"


def test_where_nobody_counts_there_is_none(tmp_path: Path):
    assert Memory(tmp_path).kills() == 0
    assert Memory(tmp_path).limit_bytes() is None
