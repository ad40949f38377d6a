"""A connection to a bucket: every request goes through ``ask``, which asks again where the cause says that it helps."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import obstore
from obstore.exceptions import BaseError

from trainer.config import StoreConfig
from trainer.data.store.causes import Cause, DamagedError, Verdict, first_line, judge
from trainer.data.store.options import Bucket, connect
from trainer.data.store.place import Place
from trainer.data.store.retries import CURE, Patience
from trainer.data.store.store import AlreadyThere, NotThere
from trainer.errors import DataError, StoreDown, UsageError

Answer = TypeVar("Answer")

ERRORS = (BaseError, FileNotFoundError, DamagedError)

REQUESTS = 8
"""Side by side, of one connection."""


class Buckets(NamedTuple):
    """Two ways to a bucket: one that asks once, and one that asks again by itself."""

    once: Bucket
    patient: Bucket


class Connection:
    """Shared by the stores below one place; safe to share between threads."""

    def __init__(self, place: Place, config: StoreConfig, key: str) -> None:
        self.key, self._place, self._config = key, place, config
        self._connected = threading.Lock()
        self._buckets = self._connect()
        self._seen = False
        self.workers = ThreadPoolExecutor(REQUESTS, thread_name_prefix="store")

    def patience(self, what: str) -> Patience:
        """For one operation on ``what``."""
        return Patience(self.key, what, self._config.retry_seconds)

    def ask(
        self, what: str, request: Callable[[Bucket], Answer], *, patient: bool = False, patience: Patience | None = None
    ) -> Answer:
        """The answer to a request.

        Args:
            what: the request is about, for errors: the URL of an object.
            request: is called with the bucket, again after a failure that may pass.
            patient: whether the bucket itself asks again for single parts of the request.
            patience: of the operation that the request belongs to, if it is one of several.

        Raises NotThere, AlreadyThere, DataError, StoreDown.
        """
        patience, renewed = patience or self.patience(what), False
        while True:
            buckets = self._buckets
            try:
                answer = request(buckets.patient if patient else buckets.once)
            except ERRORS as error:
                verdict = judge(error)
            else:
                self._seen = True
                return answer
            if verdict.cause is Cause.EXPIRED and not renewed:
                renewed = True
                self._renew(buckets)
            elif verdict.cause in (Cause.AGAIN, Cause.CHANGED):
                patience.pause(verdict)
            else:
                raise self._error(what, verdict)

    def ask_once(self, what: str, request: Callable[[Bucket], Answer]) -> Answer:
        """The answer to a request that cannot be made twice; the bucket asks again for its parts by itself.

        Raises DataError, StoreDown.
        """
        buckets = self._buckets
        try:
            return request(buckets.patient)
        except ERRORS as error:
            verdict = judge(error)
        if verdict.cause is Cause.EXPIRED:
            self._renew(buckets)
            raise StoreDown(self.key, what, verdict.rule, "they have been read anew: write it again")
        if verdict.cause is Cause.AGAIN:
            raise StoreDown(self.key, what, verdict.rule, CURE)
        raise self._error(what, verdict)

    def explain(self, *, unless_seen: bool = False) -> None:
        """Raises what is wrong with the bucket, if anything is: the answer to a HEAD request has no body that says it.

        Args:
            unless_seen: asks nothing where the bucket has answered well before.
        """
        if not (unless_seen and self._seen):
            self.ask(self._place.url, lambda bucket: next(obstore.list(bucket, "-", chunk_size=1), None))

    def _error(self, what: str, verdict: Verdict) -> DataError:
        kind = {Cause.NOT_THERE: NotThere, Cause.ALREADY_THERE: AlreadyThere}.get(verdict.cause, DataError)
        return kind(self.key, what, verdict.rule, verdict.cure)

    def _connect(self) -> Buckets:
        try:
            return Buckets(*(connect(self._place, self._config, patient=each) for each in (False, True)))
        except (BaseError, ValueError) as error:
            reason = first_line(str(error))
        cure = "correct store.* or the variables that name it and its credentials"
        raise UsageError(self.key, self._place.url, f"cannot be reached so ({reason})", cure)

    def _renew(self, buckets: Buckets) -> None:
        """Reads the credentials anew, unless another thread has."""
        with self._connected:
            if self._buckets is buckets:
                self._buckets = self._connect()
