"""Writing a large object in parts: a thread sends them while the next are made."""

import queue
import threading
from collections.abc import Iterator

import obstore

from trainer.data.store.connection import Connection
from trainer.data.store.marks import Mark
from trainer.data.store.options import PART_BYTES, PARTS, Bucket


class _Abandoned(Exception):
    """The block that wrote has raised: the parts that were sent are thrown away."""


class PartsSink:
    """What is written goes out in parts; exists once ``close`` has returned.

    Args:
        connection: to the bucket.
        name: of the object, in the bucket.
        what: the object as a person names it.
    """

    def __init__(self, connection: Connection, name: str, what: str) -> None:
        self._connection, self._name, self._what = connection, name, what
        self._mark = Mark(connection, name, what)
        self._part = bytearray()
        # With as many on their way, 40 MiB are what an object takes of memory, however large it is.
        self._parts: queue.Queue[bytes | type[_Abandoned] | None] = queue.Queue(PARTS)
        self._failure: BaseException | None = None
        self._sender: threading.Thread | None = None

    def write(self, content: bytes) -> None:
        """Adds bytes at the end; waits where the network is behind. Raises what sending the parts before has raised."""
        view = memoryview(content)
        while view:
            taken = view[: PART_BYTES - len(self._part)]
            self._part += taken
            view = view[len(taken) :]
            if len(self._part) == PART_BYTES:
                self._send()

    def close(self) -> None:
        """Sends the rest. Raises DataError, StoreDown."""
        if self._sender is None:
            content = bytes(self._part)
            self._connection.ask(self._what, lambda bucket: self._put_whole(bucket, content))
            return
        if self._part:
            self._send()
        self._end(None)
        self._raise()

    def abandon(self) -> None:
        """Throws away what was sent."""
        if self._sender is not None:
            self._end(_Abandoned)

    def _send(self) -> None:
        if self._sender is None:
            self._sender = threading.Thread(target=self._run, name="store-sink", daemon=True)
            self._sender.start()
        part, self._part = bytes(self._part), bytearray()
        self._offer(part)
        self._raise()

    def _end(self, last: type[_Abandoned] | None) -> None:
        self._offer(last)
        if self._sender:
            self._sender.join()

    def _offer(self, part: bytes | type[_Abandoned] | None) -> None:
        while self._sender and self._sender.is_alive():
            try:
                # The sender may have died with the queue full: looked at now and then.
                self._parts.put(part, timeout=0.1)
            except queue.Full:
                continue
            return

    def _raise(self) -> None:
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            with self._mark.settles():
                self._connection.ask_once(self._what, self._put)
        except _Abandoned:
            pass
        except BaseException as failure:
            self._failure = failure

    def _put_whole(self, bucket: Bucket, content: bytes) -> None:
        obstore.put(bucket, self._name, content, use_multipart=False)

    def _put(self, bucket: Bucket) -> None:
        marked = self._mark.attributes
        obstore.put(bucket, self._name, self._taken(), chunk_size=PART_BYTES, max_concurrency=PARTS, attributes=marked)

    def _taken(self) -> Iterator[bytes]:
        while (part := self._parts.get()) is not None:
            if not isinstance(part, bytes):
                raise part
            yield part
