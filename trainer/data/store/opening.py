"""From what a setting says to a store: a folder, or a URL with a scheme."""

from pathlib import Path

from trainer.config import StoreConfig
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Store
from trainer.errors import UsageError


def open_store(where: str, config: StoreConfig, key: str) -> Store:
    """The store at ``where``; nothing is asked of it yet.

    Args:
        where: a folder, or a URL.
        config: how remote stores are reached.
        key: the setting that says ``where``, for errors.

    Raises UsageError for another scheme, or a URL without a bucket.
    """
    scheme, found, _ = where.partition("://")
    if not found:
        return FolderStore(Path(where), key)
    del config
    raise UsageError(key, where, f"has the scheme {scheme}://", "name a folder")


def is_remote(where: str) -> bool:
    """Whether ``where`` is a URL rather than a folder."""
    return "://" in where
