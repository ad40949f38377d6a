"""How long a request is asked again: exponential backoff with full jitter, until too long without progress."""

import logging
import random
import time
from collections.abc import Callable

from trainer.data.store.causes import Verdict
from trainer.errors import StoreDown

log = logging.getLogger("cxr_train.store")

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 10.0

CURE = "check the server and the way to it; a retry goes on from what is done"


class Patience:
    """Of one operation: pauses between tries, and an end to them.

    Pauses are drawn from 0 to ``FIRST_SECONDS * 2**n``, at most ``LONGEST_SECONDS`` (full jitter: Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        key: of the setting, for errors.
        what: that is asked for, for errors.
        seconds: without progress, until StoreDown.
        clock: of seconds.
        sleep: for so many seconds.
        draw: from 0 to 1.
    """

    def __init__(
        self,
        key: str,
        what: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._key, self._what, self._seconds = key, what, seconds
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._since, self._tries = clock(), 0

    def progressed(self) -> None:
        """Counts anew."""
        self._since, self._tries = self._clock(), 0

    def pause(self, verdict: Verdict) -> None:
        """Waits before another try. Raises StoreDown where there was no progress for too long."""
        left = self._since + self._seconds - self._clock()
        if left <= 0:
            raise StoreDown(self._key, self._what, f"{verdict.rule}, asked for {self._seconds:g} s", CURE)
        if not self._tries:
            log.info("%s %s; asking again for up to %g s", self._what, verdict.rule, self._seconds)
        pause = self._draw() * min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(self._tries, 30))
        self._tries += 1
        # The last try comes at the very end.
        self._sleep(min(pause, left))
