"""Objects that settings name one by one: located by path or URL, read whole or in pieces."""

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.s3 import Bucket
from trainer.config import StoreConfig
from trainer.data.source import objects
from trainer.data.source.objects import ObjectStream, locate, pieces, read_object
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Range
from trainer.errors import DataError

STORES = StoreConfig()


class Content(FolderStore):
    """One object of given bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__(Path(), "test")
        self._content = content

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        del name
        return [self._content[each.start : each.end] for each in ranges]


@given(content=st.binary(max_size=100), piece=st.integers(1, 40))
def test_pieces_are_the_whole_in_order(content: bytes, piece: int) -> None:
    with patch.object(objects, "_PIECE", piece):
        found = list(pieces(Content(content), "x", len(content)))
    assert b"".join(found) == content
    assert all(len(each) == piece for each in found[:-1])


@given(content=st.lists(st.binary(min_size=1, max_size=20)), size=st.integers(1, 50))
def test_a_stream_gives_every_byte_once(content: list[bytes], size: int) -> None:
    stream, read = ObjectStream(iter(content)), b""
    while part := stream.read(size):
        read += part
    assert read == b"".join(content)


@pytest.mark.parametrize(
    ("where", "store", "name"),
    [
        ("/data/table.csv", "/data", "table.csv"),
        ("/data/films/", "/data", "films"),
        ("/data/x/../table.csv", "/data", "table.csv"),
        ("/table.csv", "/", "table.csv"),
        ("s3://bucket/table.csv", "s3://bucket", "table.csv"),
        ("s3://bucket/raw/nih/", "s3://bucket/raw", "nih"),
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/", "s3://bucket", ""),
    ],
)
def test_an_object_is_located_by_path_or_url(where: str, store: str, name: str) -> None:
    found = locate(where, STORES, "prepare.table")
    assert (found.store.where.rstrip("/") or "/", found.name) == (store, name)


def test_a_relative_path_is_of_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("x")
    assert read_object("table.csv", STORES, "prepare.table") == b"x"
    assert read_object(f"../{tmp_path.name}/table.csv", STORES, "prepare.table") == b"x"


@pytest.mark.parametrize("where", ["absent.csv", "", "/", ".", "films"])
def test_what_is_no_file_is_named_with_its_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    with pytest.raises(DataError, match=rf"^prepare.table: '{where}' is not a file; check the path"):
        read_object(where, STORES, "prepare.table")


def test_an_object_of_a_bucket_is_read_whole(s3: Bucket) -> None:
    (s3.folder / "tables").mkdir()
    (s3.folder / "tables" / "nih.csv").write_bytes(b"film\n")
    assert read_object(f"{s3.url}/tables/nih.csv", s3.config, "prepare.table") == b"film\n"
    for absent in ("tables/no.csv", "tables", ""):
        with pytest.raises(DataError, match=r"is not a file; check the path"):
            read_object(f"{s3.url}/{absent}", s3.config, "prepare.table")
