"""Reading an object, or a part of it: a body that breaks off is resumed from the byte that was reached."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import PreconditionError

from trainer.data.store.causes import DamagedError
from trainer.data.store.connection import Connection
from trainer.data.store.options import Bucket
from trainer.data.store.store import Range, Take
from trainer.errors import DataError

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult

_AT_ONCE_BYTES = 8 * 2**20
"""What is no larger comes in one piece, a sixth faster than in chunks; if that breaks off, in chunks from then on."""

_CHUNK_BYTES = 2**20
"""Of a body that breaks off, at most so much is read twice."""


class Body:
    """One object, or a range of it, being read.

    Args:
        connection: to the bucket.
        name: of the object, in the bucket.
        what: the object as a person names it.
        part: of the object; None: all of it.
        take: gets what comes, which is not kept then; None: it is.
    """

    def __init__(
        self, connection: Connection, name: str, what: str, part: Range | None = None, take: Take | None = None
    ) -> None:
        self._connection, self._name, self._what, self._part = connection, name, what, part
        self._patience = connection.patience(what)
        self._chunks: list[bytes] = []
        self._take = take or self._keep
        self._done, self._furthest = 0, 0
        self._begun = take is not None
        self._end = 0 if part is None else part.end
        self._object: tuple[object, ...] = ()

    def read(self) -> bytes:
        """All of it. Raises NotThere; DataError if the object ends before the range does."""
        if self._part is not None and not self._part.bytes:
            return b""
        self._connection.ask(self._what, self._go_on, patience=self._patience)
        # Let go of, because a body may outlive its reading: it refers to itself.
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)

    def _go_on(self, bucket: Bucket) -> None:
        try:
            result = obstore.get(bucket, self._name, options=self._options())
        except PreconditionError as error:
            self._forget()
            raise DamagedError("is being replaced") from error
        self._check(result)
        for chunk in self._received(result):
            self._take(self._start + self._done, chunk)
            self._done += len(chunk)
            self._progressed()
        if self._start + self._done != self._end:
            missing = self._end - self._start - self._done
            self._forget()
            raise DamagedError(f"sends a body that is {abs(missing)} bytes too {'short' if missing > 0 else 'long'}")

    def _received(self, result: "GetResult") -> Iterator[Any]:
        at_once = not self._begun and self._end - self._start <= _AT_ONCE_BYTES
        self._begun = True
        return iter([bytes(result.bytes())]) if at_once else iter(result.stream(_CHUNK_BYTES))

    @property
    def _start(self) -> int:
        return self._part.start if self._part else 0

    def _options(self) -> "GetOptions":
        options: GetOptions = {}
        if self._part or self._done:
            options["range"] = (self._start + self._done, self._end)
        if self._done and self._object[0]:
            # The rest of another object would be no rest.
            options["if_match"] = str(self._object[0])
        return options

    def _check(self, result: "GetResult") -> None:
        meta = result.meta
        same = (meta["e_tag"], meta["last_modified"], meta["size"])
        if self._done and same != self._object:
            self._forget()
            raise DamagedError("is being replaced")
        if self._part is None:
            self._end = meta["size"]
        if self._end > meta["size"]:
            raise DataError(self._connection.key, self._what, f"ends before byte {self._end}", "copy it anew")
        self._object = same

    def _progressed(self) -> None:
        # To read once more what was read before is none: an object that is replaced for ever is given up.
        if self._done > self._furthest:
            self._furthest = self._done
            self._patience.progressed()

    def _keep(self, _start: int, chunk: Any) -> None:
        self._chunks.append(chunk)

    def _forget(self) -> None:
        self._chunks.clear()
        self._done = 0
