"""From what a setting says to a store: a folder, or a URL with a scheme."""

from pathlib import Path

from trainer.config import StoreConfig
from trainer.data.store.connection import Connection
from trainer.data.store.folder import FolderStore
from trainer.data.store.place import place_of
from trainer.data.store.remote import RemoteStore
from trainer.data.store.store import Store


def open_store(where: str, config: StoreConfig, key: str) -> Store:
    """The store at ``where``; nothing is asked of it yet.

    Args:
        where: a folder, or a URL.
        config: how remote stores are reached.
        key: the setting that says ``where``, for errors.

    Raises UsageError for another scheme, a URL without a bucket, and a wrong ``store.endpoint``.
    """
    if not is_remote(where):
        return FolderStore(Path(where), key)
    place = place_of(where, key)
    return RemoteStore(place, Connection(place, config, key))


def is_remote(where: str) -> bool:
    """Whether ``where`` is a URL rather than a folder."""
    return "://" in where
