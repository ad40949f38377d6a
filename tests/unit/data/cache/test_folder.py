"""The folder: its cap holds, what is read stays, and what a dead process left behind is in nobody's way."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.cache.folder import CacheFolder, NoRoomError
from trainer.data.cache.tally import Tally

PROGRAM = Path(__file__).parent / "fetching.py"


@pytest.fixture
def tally() -> Tally:
    return Tally()


def fill(cache: CacheFolder, name: str, size: int, reader: object = None) -> None:
    """Puts a file into the cache and lets go of it."""
    file = cache.begin(name, size, reader)
    assert file is not None
    file.write(b"x" * size)
    file.flush()
    cache.commit(file, name)
    file.close()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".lock"}


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_the_cap_holds_whatever_the_sizes(sizes: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("cache")
    cache = CacheFolder(folder, 100, Tally().add)
    for number, size in enumerate(sizes):
        fill(cache, str(number), size)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 100
        assert str(number) in names(folder)


def test_what_the_plan_needs_last_goes_first(tmp_path: Path, tally: Tally) -> None:
    cache, reader = CacheFolder(tmp_path, 30, tally.add), object()
    cache.plan(reader, ["now", "soon", "later", "last"])
    for name in ("last", "soon", "later"):
        fill(cache, name, 10, reader)
    fill(cache, "now", 10, reader)
    assert names(tmp_path) == {"now", "soon", "later"}
    assert tally.taken() == {"evictions": 1}


def test_what_is_read_is_not_evicted(tmp_path: Path, tally: Tally) -> None:
    cache = CacheFolder(tmp_path, 20, tally.add)
    fill(cache, "a", 10)
    fill(cache, "b", 10)
    held = cache.opened("a")
    fill(cache, "c", 10)
    assert names(tmp_path) == {"a", "c"}
    assert held is not None
    held.close()


def test_where_all_is_read_there_is_no_room(tmp_path: Path, tally: Tally) -> None:
    cache = CacheFolder(tmp_path, 15, tally.add)
    fill(cache, "a", 10)
    held = cache.opened("a")
    assert held is not None
    with pytest.raises(NoRoomError):
        cache.begin("b", 10, None)
    assert names(tmp_path) == {"a"}
    held.close()
    fill(cache, "b", 10)
    assert names(tmp_path) == {"b"}


@pytest.fixture
def fetching(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which has begun to fetch ``a`` of 10 bytes."""
    command = [sys.executable, str(PROGRAM), str(tmp_path), "a", "10"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        yield process
        process.kill()


def test_a_shard_that_another_process_fetches_is_not_fetched(
    fetching: subprocess.Popen[bytes], tmp_path: Path, tally: Tally
) -> None:
    cache = CacheFolder(tmp_path, 100, tally.add)
    assert cache.begin("a", 10, None) is None
    assert cache.opened("a") is None
    assert fetching.stdin is not None
    assert fetching.stdout is not None
    fetching.stdin.write(b"0123456789")
    fetching.stdin.flush()
    assert fetching.stdout.readline() == b"committed\n"
    assert cache.begin("a", 10, None) is None
    found = cache.opened("a")
    assert found is not None
    assert found.read() == b"0123456789"
    found.close()


def test_the_half_file_of_a_killed_process_is_fetched_anew(
    fetching: subprocess.Popen[bytes], tmp_path: Path, tally: Tally
) -> None:
    fetching.kill()
    fetching.wait()
    assert names(tmp_path) == {"a.partial"}
    fill(CacheFolder(tmp_path, 100, tally.add), "a", 10)
    assert names(tmp_path) == {"a"}


def test_the_half_file_of_a_killed_process_takes_no_room(
    fetching: subprocess.Popen[bytes], tmp_path: Path, tally: Tally
) -> None:
    fetching.kill()
    fetching.wait()
    fill(CacheFolder(tmp_path, 10, tally.add), "b", 10)
    assert names(tmp_path) == {"b"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_on_a_full_disk_shards_are_evicted_and_then_there_is_no_room(tmp_path: Path, tally: Tally) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        cache = CacheFolder(tmp_path, 2**40, tally.add)
        fill(cache, "a", 700_000)
        fill(cache, "b", 700_000)
        assert names(tmp_path) == {"b"}
        with pytest.raises(NoRoomError, match="full"):
            cache.begin("c", 2_000_000, None)
        assert tally.taken() == {"evictions": 2, "failures": 1}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_made_is_no_room_and_one_warning(
    tmp_path: Path, tally: Tally, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = CacheFolder(tmp_path / "file" / "cache", 100, tally.add)
    assert cache.opened("a") is None
    for _ in range(2):
        with pytest.raises(NoRoomError, match=os.strerror(errno.ENOTDIR)):
            cache.begin("a", 10, None)
    assert tally.taken()["failures"] == len(caplog.records) + 1 == 2
    cache.keep_index("a", b"index")
    assert cache.index("a") is None


def test_the_folder_is_its_owners_alone(tmp_path: Path, tally: Tally) -> None:
    fill(CacheFolder(tmp_path / "cache", 100, tally.add), "a", 10)
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache" / "a").stat().st_mode & 0o077 == 0
