"""A store of each kind: a folder, and a bucket of the S3 server."""

import os
from pathlib import Path

import pytest

from trainer.config import StoreConfig
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty one, below a prefix."""
    if request.param == "folder":
        return open_store(str(tmp_path / "store" / "below"), StoreConfig(), "data.training")
    bucket = request.getfixturevalue("s3")
    return open_store(f"{bucket.url}/below", bucket.config, "data.training")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine's, and none of its own identity."""
    for name in [
        name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_")) or "proxy" in name.lower()
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
