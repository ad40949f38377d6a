"""What every store promises, asked of a folder and of a real S3 server."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from trainer.data.store.store import AlreadyThere, NotThere, Range, Store
from trainer.errors import DataError

MEBIBYTE = 2**20


def test_what_is_written_is_read(store: Store) -> None:
    store.write("a/b.bin", b"films")
    assert store.read("a/b.bin") == b"films"
    assert store.size("a/b.bin") == 5
    assert store.exists("a/b.bin")


def test_an_object_may_be_empty(store: Store) -> None:
    store.write("empty", b"")
    assert (store.read("empty"), store.size("empty")) == (b"", 0)
    assert store.read_ranges("empty", [Range(0, 0)]) == [b""]
    with store.writing("written"):
        pass
    assert (store.read("written"), store.size("written")) == (b"", 0)


def test_what_is_written_again_is_replaced(store: Store) -> None:
    store.write("a", b"longer than the next")
    store.write("a", b"next")
    assert (store.read("a"), store.size("a")) == (b"next", 4)


def test_what_is_not_there_is_said_to_be_not_there(store: Store) -> None:
    assert store.size("none") is None
    assert not store.exists("none")
    assert list(store.entries()) == []
    assert list(store.entries("none")) == []
    assert store.folders() == []
    for read in (lambda: store.read("none"), lambda: store.read_ranges("none", [Range(0, 1)])):
        with pytest.raises(NotThere, match="none' is not there"):
            read()


def test_a_folder_of_objects_is_no_object(store: Store) -> None:
    store.write("a/b", b"x")
    assert store.size("a") is None
    with pytest.raises(NotThere):
        store.read("a")


def test_ranges_come_in_the_order_asked(store: Store) -> None:
    content = os.urandom(3 * MEBIBYTE)
    store.write("a", content)
    ranges = [
        Range(start, start + length) for start, length in ((2000, 5), (0, 1), (7, 0), (100, 2 * MEBIBYTE), (1, 1))
    ]
    assert store.read_ranges("a", ranges) == [content[each.start : each.end] for each in ranges]
    assert store.read_ranges("a", []) == []


@pytest.mark.parametrize("beyond", [Range(3, 6), Range(5, 6), Range(90, 99)])
def test_a_range_beyond_the_end_is_refused(store: Store, beyond: Range) -> None:
    store.write("a", b"films")
    with pytest.raises(DataError, match=r"ends before .*; copy it anew"):
        store.read_ranges("a", [beyond])


def test_entries_come_sorted_by_name_with_their_sizes(store: Store) -> None:
    names = ["b", "a/c", "a.b", "a-b", "a/b/c", "aé", "a日", "A", "a0"]
    for number, name in enumerate(names):
        store.write(name, b"x" * number)
    assert [(each.name, each.bytes) for each in store.entries()] == sorted(
        (name, number) for number, name in enumerate(names)
    )


def test_entries_say_when_they_were_written(store: Store) -> None:
    store.write("a", b"")
    store.write("b", b"")
    a, b = store.entries()
    assert abs(a.modified - b.modified) < 60
    assert a.modified > 1.7e9


def test_entries_of_a_prefix_are_those_of_the_folder_or_the_object(store: Store) -> None:
    for name in ("a/1", "a/2", "ab/1", "a.b", "b"):
        store.write(name, b"")
    assert [each.name for each in store.entries("a")] == ["a/1", "a/2"]
    assert [each.name for each in store.entries("a/1")] == ["a/1"]
    assert [each.name for each in store.entries("b")] == ["b"]


def test_hidden_objects_are_read_but_not_listed(store: Store) -> None:
    store.write(".hidden", b"x")
    store.write("a/.hidden", b"x")
    assert list(store.entries()) == []
    assert store.read("a/.hidden") == b"x"


def test_folders_are_the_first_parts(store: Store) -> None:
    for name in ("step-2/a", "step-10/a/b", "file", "step-2/b"):
        store.write(name, b"")
    assert store.folders() == ["step-10", "step-2"]


def test_a_store_below_is_a_store(store: Store) -> None:
    below = store.under("x/y")
    below.write("a", b"1")
    below.under("z").write("b", b"2")
    assert [each.name for each in store.entries()] == ["x/y/a", "x/y/z/b"]
    assert [each.name for each in below.entries()] == ["a", "z/b"]
    assert below.folders() == ["z"]
    assert below.where == f"{store.where}/x/y"


def test_deleted_objects_are_gone_and_missing_ones_no_error(store: Store) -> None:
    for name in ("a", "b/c", "b/d"):
        store.write(name, b"")
    store.delete(["a", "b/c", "none", "no/such/folder"])
    store.delete([])
    assert [each.name for each in store.entries()] == ["b/d"]


def test_an_object_is_created_once(store: Store) -> None:
    store.create("lock", b"first")
    with pytest.raises(AlreadyThere, match="lock' is there already"):
        store.create("lock", b"first")
    assert store.read("lock") == b"first"


def test_of_many_who_create_at_once_one_wins(store: Store) -> None:
    together = threading.Barrier(8)

    def create(number: int) -> int | None:
        together.wait()
        try:
            store.create("lock", str(number).encode())
        except AlreadyThere:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [each for each in pool.map(create, range(8)) if each is not None]
    assert len(winners) == 1
    assert store.read("lock") == str(winners[0]).encode()


@pytest.mark.parametrize("size", [0, 1, 8 * MEBIBYTE - 1, 8 * MEBIBYTE, 8 * MEBIBYTE + 1, 100 * MEBIBYTE])
def test_an_object_of_any_size_is_written_in_parts(store: Store, size: int) -> None:
    content = os.urandom(min(size, MEBIBYTE)) * max(1, size // MEBIBYTE + 1)
    with store.writing("large") as sink:
        for start in range(0, size, 3 * MEBIBYTE + 7):
            sink.write(content[start : min(size, start + 3 * MEBIBYTE + 7)])
    assert store.size("large") == size
    assert store.read("large") == content[:size]


@pytest.mark.parametrize("size", [0, 1, 20 * MEBIBYTE + 1])
def test_a_file_is_uploaded(store: Store, size: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content := os.urandom(size))
    store.upload("large", tmp_path / "file")
    assert store.read("large") == content


@pytest.mark.parametrize("size", [1, 30 * MEBIBYTE])
def test_what_its_writer_gives_up_is_never_there(store: Store, size: int) -> None:
    def give_up() -> None:
        with store.writing("large") as sink:
            sink.write(b"x" * size)
            raise RuntimeError("given up")

    with pytest.raises(RuntimeError, match="given up"):
        give_up()
    assert store.size("large") is None
    assert list(store.entries()) == []


def test_what_is_being_written_is_not_there_yet(store: Store) -> None:
    store.write("large", b"before")
    with store.writing("large") as sink:
        sink.write(b"x" * 20 * MEBIBYTE)
        assert store.read("large") == b"before"
    assert store.size("large") == 20 * MEBIBYTE


def test_of_two_who_write_at_once_the_last_to_end_wins_whole(store: Store) -> None:
    with store.writing("large") as first:
        first.write(b"1" * 9 * MEBIBYTE)
        with store.writing("large") as second:
            second.write(b"2" * 10 * MEBIBYTE)
            first.write(b"1" * 9 * MEBIBYTE)
        assert store.read("large") == b"2" * 10 * MEBIBYTE
    assert store.read("large") == b"1" * 18 * MEBIBYTE


HOSTILE = [
    "sp ace",
    "per%20cent",
    "plus+",
    "hash#x",
    "q?a=b&c",
    "日本/é",
    "[x]{y}",
    "a:b|c<d>^e`~*",
    "quote\"'",
    "back\\slash",
]


@pytest.mark.parametrize("name", [*HOSTILE, "x" * 200, "/".join(["long"] * 150)])
def test_a_name_may_hold_any_letter(store: Store, name: str) -> None:
    store.write(name, b"x")
    assert [each.name for each in store.entries()] == [name]
    assert (store.read(name), store.size(name)) == (b"x", 1)
    store.create(f"{name[:100]}-created", b"y")
    store.delete([name, f"{name[:100]}-created"])
    assert list(store.entries()) == []


@pytest.mark.parametrize(
    "name", ["", "/a", "a//b", "a/", ".", "..", "../a", "a/../b", "./a", "a\nb", "a\0", "\udc80", "x" * 201]
)
def test_a_name_cannot_leave_its_store(store: Store, name: str) -> None:
    uses: list[Callable[[str], object]] = [store.read, store.size, store.under, lambda name: store.write(name, b"")]
    for use in uses:
        with pytest.raises(ValueError, match="the name of an object"):
            use(name)
