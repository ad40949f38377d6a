"""Sets in a bucket of the real S3 server, beside the same in a folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.s3 import Bucket
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store


@pytest.fixture
def local_set(make_set: Callable[..., Path], tmp_path: Path) -> Path:
    """150 films of 32 px in shards of 20."""
    return make_set(tmp_path / "local" / "training", "training", 150, films_per_shard=20)


@pytest.fixture
def remote_set(s3: Bucket, local_set: Path) -> Store:
    """The same in a bucket."""
    store = open_store(f"{s3.url}/training", s3.config, "data.training")
    for path in local_set.iterdir():
        store.upload(path.name, path)
    return store
