"""URLs of stores: what they mean, and what is refused in one line."""

from pathlib import Path

import pytest

from trainer.config import StoreConfig
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.place import Place, place_of
from trainer.errors import UsageError

KEY = "data.training"


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("s3://films", Place("s3", "films", "")),
        ("s3://films/", Place("s3", "films", "")),
        ("s3://films/nih/224", Place("s3", "films", "nih/224")),
        ("s3://films/nih/224//", Place("s3", "films", "nih/224")),
        ("s3://films.of.ward-3/a b%20c+d#e?f", Place("s3", "films.of.ward-3", "a b%20c+d#e?f")),
        ("gs://films_2/日本", Place("gs", "films_2", "日本")),
        ("az://container/a", Place("az", "container", "a")),
    ],
)
def test_a_url_is_a_bucket_and_a_prefix(where: str, place: Place) -> None:
    assert place_of(where, KEY) == place


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("s3://", "does not name a bucket; write s3://BUCKET/PREFIX"),
        ("s3:///nih", "does not name a bucket"),
        ("s3://Films/nih", "has 'Films' for a bucket"),
        ("s3://a/nih", "has 'a' for a bucket"),
        ("s3://127.0.0.1:7070/films", "for a bucket"),
        ("s3://films//nih", "has a blank"),
        ("s3://films/../nih", "has a blank, '.', '..'"),
        ("s3a://films/nih", "has the scheme s3a://; name a folder, or s3://, gs:// or az://"),
        ("https://films.s3.amazonaws.com/nih", "has the scheme https://"),
        ("S3://films/nih", "has the scheme S3://"),
        ("file:///films", "has the scheme file://"),
    ],
)
def test_what_is_no_place_is_refused(where: str, words: str) -> None:
    with pytest.raises(UsageError, match=KEY) as raised:
        open_store(where, StoreConfig(), KEY)
    assert words in str(raised.value)


@pytest.mark.parametrize("secret", ["very-secret", "very/secret", "very@secret", "/secret@very"])
def test_credentials_in_a_url_are_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(UsageError, match="has credentials in it") as raised:
        open_store(f"s3://AKIA:{secret}@films/nih", StoreConfig(), KEY)
    assert "secret" not in str(raised.value)
    assert "AKIA" not in str(raised.value)


def test_what_has_no_scheme_is_a_folder(tmp_path: Path) -> None:
    assert isinstance(open_store(str(tmp_path), StoreConfig(), KEY), FolderStore)


def test_each_kind_is_opened_without_asking_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "ward3")
    for where in ("s3://films/a", "gs://films/a", "az://films/a"):
        store = open_store(where, StoreConfig(), KEY)
        assert (store.where, store.key, store.is_local) == (where, KEY, False)
        with pytest.raises(NotImplementedError):
            store.path("x")
