"""Whose object it is: a mark in its metadata tells a writer whose answer was lost that it has written after all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import obstore

from trainer.data.store.connection import Connection
from trainer.data.store.options import Bucket
from trainer.data.store.store import AlreadyThere, NotThere

_NAME = "cxr-train-writer"


class Mark:
    """Of one writing of one object.

    Args:
        connection: to the bucket.
        name: of the object, in the bucket.
        what: the object as a person names it.
    """

    def __init__(self, connection: Connection, name: str, what: str) -> None:
        self._connection, self._name, self._what = connection, name, what
        self._value = os.urandom(16).hex()

    @property
    def attributes(self) -> dict[str, str]:
        """To be written with the object."""
        return {_NAME: self._value}

    @contextmanager
    def settles(self) -> Iterator[None]:
        """Passes over that the object is there already, or its upload no more, if it was written with this mark."""
        try:
            yield
        except (AlreadyThere, NotThere):
            if not self._is_there():
                raise

    def _is_there(self) -> bool:
        try:
            return self._connection.ask(self._what, self._found) == self._value
        except NotThere:
            return False

    def _found(self, bucket: Bucket) -> str | None:
        return obstore.get(bucket, self._name, options={"head": True}).attributes.get(_NAME)
