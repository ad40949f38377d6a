"""What happens between a store and its readers, counted until somebody takes the counts."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Literal

Event = Literal["hits", "misses", "fetched_bytes", "direct_films", "corrupt", "evictions", "failures", "wait_seconds"]
"""Shards found in the cache, or not; bytes from the store; films read past the cache; files or answers with another
hash; shards evicted; shards that found no place; time in which readers waited for the store."""

Tell = Callable[[Event, float], None]


def untold(event: Event, amount: float) -> None:
    """Counts nothing."""


class Tally:
    """Counts of events; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Event] = Counter()

    def add(self, event: Event, amount: float) -> None:
        """Counts ``amount``, 0 or more."""
        with self._lock:
            self._counts[event] += amount  # type: ignore[assignment]

    def taken(self) -> dict[Event, float]:
        """What was counted since the last call."""
        with self._lock:
            taken, self._counts = dict(self._counts), Counter()
        return dict(taken)
