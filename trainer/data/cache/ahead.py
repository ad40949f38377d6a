"""Brings shards in the order of need, some at a time, for as long as there is room for what is needed at once."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from trainer.data.cache.download import AbandonedError
from trainer.data.cache.folder import NoRoomError
from trainer.data.cache.keeper import Brought, Keeper
from trainer.data.plan import Need
from trainer.data.shard.shard import Shard
from trainer.errors import StoreDown

log = logging.getLogger("cxr_train.cache")

_ALWAYS = float("inf")
_NOT_NOW = (NoRoomError, StoreDown, AbandonedError)

Needs = Callable[[], tuple[Sequence[Need], Sequence[Need]]]
"""What is needed now, and after that; each in the order of first use."""


class Ahead:
    """The shards that are within reach, or on their way; safe to share between threads."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._sizes = [each.bytes for each in keeper.manifest.shards]
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._pool = ThreadPoolExecutor(keeper.threads, thread_name_prefix="shards")
        self._queue: deque[tuple[int, float]] = deque()
        self._last: dict[int, float] = {}
        self._held: dict[int, Future[Brought]] = {}
        self._here: dict[int, Shard] = {}
        self._running, self._adopting, self._plan = 0, 0, 0
        self._passed = -1
        self._blocked = False
        self.planned = False
        """Whether it is known what will be needed."""

    def expect(self, needs: Needs) -> None:
        """Begins a plan, which is computed in the background; what it does not need is let go."""
        with self._lock:
            self._plan += 1
            self._adopting += 1
            self._passed = -1
            self.planned = True
            self._pool.submit(self._adopt, needs, self._plan)

    def ask(self, shard: int) -> None:
        """Adds a shard that no plan has named, to be kept."""
        with self._lock:
            if shard not in self._held:
                self._queue.append((shard, _ALWAYS))
                self._begin()

    def passed(self, batch: int) -> None:
        """All batches up to this one have been read."""
        with self._lock:
            for shard in [each for each, last in self._last.items() if last <= batch]:
                self._release(shard)
                self._keeper.done(shard)
            self._passed = batch
            self._blocked = False
            self._begin()

    def rest(self) -> None:
        """Lets go of everything: no batch will be read for a while."""
        with self._lock:
            self._plan += 1
            self.planned = False
            self._queue.clear()
            for shard in list(self._held):
                self._release(shard)

    def at_hand(self, shard: int) -> Shard | None:
        """The shard, if it is within reach. Raises DataError if it is damaged."""
        if here := self._here.get(shard):
            return here
        with self._lock:
            future = self._held.get(shard)
            if future is None or not future.done() or isinstance(future.exception(), _NOT_NOW):
                return None
            # Asked for at every film: a future would take its lock each time.
            self._here[shard] = future.result().shard
            return self._here[shard]

    def wait(self, shards: Sequence[int], seconds: float) -> None:
        """Until these of the shards that are on their way have come, but no longer than ``seconds``."""
        with self._lock:
            coming = [self._held[each] for each in shards if each in self._held]
        if coming:
            wait(coming, seconds)

    def settle(self) -> None:
        """Until nothing is on its way: all that there is room for is within reach."""
        with self._lock:
            self._changed.wait_for(lambda: not self._running and not self._adopting)

    def _adopt(self, needs: Needs, plan: int) -> None:
        """Takes a plan up, unless another has been begun since."""
        now, then = needs()
        with self._lock:
            self._adopting -= 1
            self._changed.notify_all()
            if plan != self._plan:
                return
            self._keeper.plan([each.shard for each in (*now, *then)])
            self._last = {each.shard: float(each.last) for each in now}
            for shard in self._held.keys() - self._last.keys():
                self._release(shard)
            self._queue = deque((each.shard, each.last) for each in now if each.shard not in self._held)
            self._queue.extend((each.shard, _ALWAYS) for each in then)
            self._begin()

    def _begin(self) -> None:
        """Starts what there is a thread and room for."""
        while self._queue and self._running < self._keeper.threads and not self._blocked:
            shard, last = self._queue[0]
            room = self._keeper.budget_bytes - sum(self._sizes[each] for each in self._held)
            if shard not in self._held and self._sizes[shard] > room and self._held:
                return
            self._queue.popleft()
            if last <= self._passed:
                continue
            self._last[shard] = last
            if shard not in self._held and self._sizes[shard] <= room:
                self._running += 1
                future = self._held[shard] = self._pool.submit(self._keeper.bring, shard)
                future.add_done_callback(partial(self._ended, shard))

    def _ended(self, shard: int, future: Future[Brought]) -> None:
        with self._lock:
            self._running -= 1
            self._changed.notify_all()
            if isinstance(future.exception(), _NOT_NOW) and self._held.get(shard) is future:
                # Tried again once a batch has been read, which may have made room.
                del self._held[shard]
                self._queue.appendleft((shard, self._last.pop(shard)))
                self._blocked = True
            self._begin()

    def _release(self, shard: int) -> None:
        self._last.pop(shard, None)
        self._here.pop(shard, None)
        if future := self._held.pop(shard, None):
            future.add_done_callback(_let_go)


def _let_go(future: "Future[Brought]") -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().let_go()
