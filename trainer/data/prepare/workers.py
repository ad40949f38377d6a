"""Work done side by side in processes, its results handed back in the order of the work."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from trainer.errors import CxrError

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough that no process waits for work, few enough that memory does not grow with the work.
_ITEMS_AHEAD_PER_PROCESS = 3


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], processes: int
) -> Generator[Result, None, None]:
    """``work`` of every item, in order; ``processes`` 0: one a core, 1: in this process.

    ``work`` and what goes in and out are pickled. Closing the generator ends the processes.
    Raises CxrError if a process is killed.
    """
    count = processes or len(os.sched_getaffinity(0))
    if count == 1:
        yield from map(work, items)
    else:
        yield from _map_in_pool(work, items, count)


def _map_in_pool(work: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    # Spawned, because a fork would copy the locks of the caller's threads in whatever state they are.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        yield from _bounded(pool, work, items, _ITEMS_AHEAD_PER_PROCESS * count)
    except BrokenProcessPool as error:
        rule = "worker processes could not go on: one was killed, as happens when memory runs out"
        raise CxrError("prepare.processes", count, rule, "run again with fewer, or with more memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _bounded(
    pool: ProcessPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _end_with_parent() -> None:
    """Makes this process end when its parent is killed; it would wait for work for ever."""
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
