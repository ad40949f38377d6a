"""A store in a bucket of S3, Google Cloud Storage or Azure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import obstore

from trainer.data.store.bodies import Body
from trainer.data.store.connection import Connection
from trainer.data.store.marks import Mark
from trainer.data.store.names import checked, is_hidden
from trainer.data.store.options import PART_BYTES, PARTS, Bucket
from trainer.data.store.place import Place
from trainer.data.store.sinks import PartsSink
from trainer.data.store.store import Entry, NotThere, Range, Sink, Store, Take
from trainer.errors import DataError

if TYPE_CHECKING:
    from obstore import ListStream, ObjectMeta

Answer = TypeVar("Answer")

_DELETED_AT_ONCE, _LISTED_AT_ONCE = 1000, 1000


class RemoteStore(Store):
    """Objects below a prefix of a bucket.

    Args:
        place: the bucket and the prefix.
        connection: to the bucket.
    """

    is_local = False

    def __init__(self, place: Place, connection: Connection) -> None:
        super().__init__(place.url, connection.key)
        self._place, self._connection = place, connection

    def under(self, prefix: str) -> "RemoteStore":
        """The store below, over the same connection."""
        return RemoteStore(self._place.under(checked(prefix)), self._connection)

    def path(self, name: str) -> Path:
        """None: nothing of it lies on this machine."""
        raise NotImplementedError(self._what(name))

    def read(self, name: str) -> bytes:
        """One request, resumed where it breaks off."""
        return Body(self._connection, self._name(name), self._what(name)).read()

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        """A request for each range, some at a time."""
        bodies = [Body(self._connection, self._name(name), self._what(name), each) for each in ranges]
        return list(self._connection.workers.map(Body.read, bodies))

    def stream(self, name: str, part: Range, take: Take) -> None:
        """One request, resumed where it breaks off."""
        Body(self._connection, self._name(name), self._what(name), part, take).read()

    def size(self, name: str) -> int | None:
        """From a HEAD request. Its answers say nothing of why, so where it fails, a listing is asked."""

        def head(bucket: Bucket) -> "ObjectMeta":
            return obstore.head(bucket, self._name(name))

        try:
            return self._ask(name, head)["size"]
        except NotThere:
            self._connection.explain(unless_seen=True)
            return None
        except DataError:
            self._connection.explain()
            return self._ask(name, head)["size"]

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Page by page; sorted here, since not every server does."""
        below = self._name(prefix) if prefix else self._place.prefix
        found = [self._entry(meta) for meta in self._listed(below)]
        if prefix and self.exists(prefix):
            found.append(self._entry(self._ask(prefix, lambda bucket: obstore.head(bucket, below))))
        yield from sorted(each for each in found if not is_hidden(each.name))

    def folders(self) -> list[str]:
        """What a listing with a delimiter has in common."""
        prefix = self._place.prefix or None
        result = self._ask("", lambda bucket: obstore.list_with_delimiter(bucket, prefix))
        return sorted(self._below(each) for each in result["common_prefixes"])

    def write(self, name: str, content: bytes) -> None:
        """One request; in parts where it is large."""
        self._put(name, content, len(content))

    def create(self, name: str, content: bytes) -> None:
        """One request with If-None-Match; marked, so that a repeated one knows its own object."""
        mark = Mark(self._connection, self._name(name), self._what(name))

        def put(bucket: Bucket) -> None:
            obstore.put(bucket, self._name(name), content, mode="create", attributes=mark.attributes)

        with mark.settles():
            self._ask(name, put)

    @contextmanager
    def writing(self, name: str) -> Iterator[Sink]:
        """Sent in parts while the block runs; of two writers, the last to end wins, whole."""
        sink = PartsSink(self._connection, self._name(name), self._what(name))
        try:
            yield sink
        except BaseException:
            sink.abandon()
            raise
        sink.close()

    def upload(self, name: str, file: Path) -> None:
        """One request; in parts where it is large."""
        self._put(name, file, file.stat().st_size)

    def delete(self, names: Iterable[str]) -> None:
        """In bulk, where the server can."""
        keys = [self._name(name) for name in names]
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            self._delete(keys[start : start + _DELETED_AT_ONCE])

    def _put(self, name: str, content: bytes | Path, size: int) -> None:
        mark = Mark(self._connection, self._name(name), self._what(name))
        key, marked = self._name(name), mark.attributes

        def put(bucket: Bucket) -> None:
            obstore.put(bucket, key, content, chunk_size=PART_BYTES, max_concurrency=PARTS, attributes=marked)

        with mark.settles():
            self._connection.ask(self._what(name), put, patient=size > PART_BYTES)

    def _delete(self, keys: list[str]) -> None:
        try:
            self._ask("", lambda bucket: obstore.delete(bucket, keys))
        except NotThere:
            # Google's and Azure's word for one that is gone, which says nothing of the others.
            for key in keys if len(keys) > 1 else []:
                self._delete([key])

    def _listed(self, below: str) -> "Iterator[ObjectMeta]":
        """Goes on after the last name that came, where a listing breaks off."""
        last: str | None = None
        pages: ListStream[Sequence[ObjectMeta]] | None = None

        def page(bucket: Bucket) -> "Sequence[ObjectMeta] | None":
            nonlocal pages
            pages = pages or obstore.list(bucket, below or None, offset=last, chunk_size=_LISTED_AT_ONCE)
            try:
                return next(pages, None)
            except BaseException:
                pages = None
                raise

        while found := self._ask("", page):
            yield from found
            last = found[-1]["path"]

    def _entry(self, meta: "ObjectMeta") -> Entry:
        return Entry(self._below(meta["path"]), meta["size"], meta["last_modified"].timestamp())

    def _below(self, name: str) -> str:
        return name[len(self._place.prefix) + 1 :] if self._place.prefix else name

    def _name(self, name: str) -> str:
        return self._place.name(checked(name))

    def _what(self, name: str) -> str:
        return self._place.under(name).url if name else self.where

    def _ask(self, name: str, request: Callable[[Bucket], Answer]) -> Answer:
        return self._connection.ask(self._what(name), request)
