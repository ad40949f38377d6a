"""Films decoded, resized and encoded side by side in processes, and handed back in the order they were given."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

from trainer.data.images import Encoding, decode, encode, resize
from trainer.errors import CxrError, DataError

# Enough that no process waits for work, few enough that memory does not grow with the data set.
_CHUNKS_AHEAD_PER_PROCESS = 3


class Storage(NamedTuple):
    """How films are to be stored; a film with a side below ``minimum_side`` pixels is bad."""

    side: int
    encoding: Encoding
    jpeg_quality: int
    minimum_side: int


class FilmTask(NamedTuple):
    """A film to decode: its number, its name for errors, and its file or the file's bytes."""

    number: int
    name: str
    content: Path | bytes


class StoredImage(NamedTuple):
    """A film's bytes as stored, or, with none, what is wrong with it."""

    number: int
    image: bytes
    fault: str


Chunk = Sequence[FilmTask]


def decode_in_order(chunks: Iterable[Chunk], storage: Storage, processes: int) -> Iterator[list[StoredImage]]:
    """The result of every chunk, in order; ``processes`` 0: one a core, 1: in this process.

    Raises CxrError if a process is killed.
    """
    count = processes or len(os.sched_getaffinity(0))
    if count == 1:
        for chunk in chunks:
            yield decode_chunk(chunk, storage)
        return
    # Spawned, because a fork would copy the locks of the caller's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, context, initializer=_end_with_parent)
    try:
        yield from _bounded(pool, chunks, storage, _CHUNKS_AHEAD_PER_PROCESS * count)
    except BrokenProcessPool as error:
        rule = "decoding processes: one was killed, as happens when memory runs out"
        cure = "run again with fewer: what is finished is kept"
        raise CxrError("prepare.processes", count, rule, cure) from error
    finally:
        pool.shutdown(cancel_futures=True)


def decode_chunk(chunk: Chunk, storage: Storage) -> list[StoredImage]:
    """Every film of the chunk, decoded, resized and encoded."""
    return [_decode_film(task, storage) for task in chunk]


def _bounded(
    pool: ProcessPoolExecutor, chunks: Iterable[Chunk], storage: Storage, ahead: int
) -> Iterator[list[StoredImage]]:
    waiting: deque[Future[list[StoredImage]]] = deque()
    for chunk in chunks:
        waiting.append(pool.submit(decode_chunk, chunk, storage))
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _decode_film(task: FilmTask, storage: Storage) -> StoredImage:
    try:
        content = task.content if isinstance(task.content, bytes) else task.content.read_bytes()
        image = decode(content, name=task.name, minimum_side=storage.minimum_side)
    except DataError as error:
        return StoredImage(task.number, b"", error.rule)
    except OSError as error:
        return StoredImage(task.number, b"", f"cannot be read ({error.strerror})")
    stored = encode(resize(image, storage.side), storage.encoding, storage.jpeg_quality)
    return StoredImage(task.number, stored, "")


def _end_with_parent() -> None:
    """Makes this process end when its parent is killed; it would wait for work for ever."""
    threading.Thread(target=_await_parent, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
