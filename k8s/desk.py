"""Where a worker's ranks report and ``launch`` asks: the socket of ``work``. One thread: no line meets another."""

import asyncio
import contextlib
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from k8s.cgroup import Memory
from k8s.messages import FRAME_BYTES, Message, decode, encode, socket_path

TAIL_LINES = 20
"""Of a failed rank's last words that its launcher has not heard yet."""

_KEPT_MESSAGES = 20_000
_KILL_SECONDS = 5.0


@dataclass(eq=False)
class Rank:
    """One rank of an attempt, as long as its starter stays on the line."""

    rank: int
    attempt: int
    starter: int
    writer: asyncio.StreamWriter
    child: int | None = None
    last: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    ended: bool = False


class Desk:
    """Takes ranks in, passes on what they say, ends those of older attempts, and keeps ``launch`` told.

    Args:
        pod: this worker's name, for the launcher's log.
        environment: gives a rank of an attempt its variables.
        say: writes one line to the pod's log.
        memory: tells of processes killed for want of it.
        fresh: called before a new training attempt, to forget the last one's metrics.
    """

    def __init__(
        self,
        pod: str,
        environment: Callable[[int, int], Mapping[str, str]],
        say: Callable[[str], None],
        memory: Memory,
        fresh: Callable[[], None],
    ) -> None:
        self._pod, self._environment, self._say, self._memory, self._fresh = pod, environment, say, memory, fresh
        self.attempt = 0
        self.ranks: set[Rank] = set()
        self.over = asyncio.Event()
        """The launcher has said that the job is over."""
        self.unattended_since: float | None = time.monotonic()
        """When the last launcher left the line; None while one is on it."""
        self._launchers: set[asyncio.StreamWriter] = set()
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_KEPT_MESSAGES)
        self._number = 0
        self._changed = asyncio.Condition()
        self._clearing: set[asyncio.Task[None]] = set()

    async def open(self, folder: Path) -> asyncio.Server:
        """Listens from now on; the socket is this user's alone."""
        path = socket_path(folder)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._serve, path, limit=FRAME_BYTES)
        finally:
            os.umask(before)

    def tell(self, **message: object) -> None:
        """Tells the launcher, now or when it comes back: nothing but beats is ever left out."""
        if message["kind"] == "beat":
            data = encode(message)
        else:
            self._number += 1
            data = encode({"number": self._number, **message})
            self._kept.append((self._number, data))
        for writer in self._launchers:
            writer.write(data)

    def signal(self, number: int, *, older_than: int | None = None) -> None:
        """Signals the ranks (of attempts older than that)."""
        for each in self.ranks:
            if older_than is None or each.attempt < older_than:
                each.writer.write(encode({"signal": number}))

    async def end_ranks(self, grace_seconds: float, *, older_than: int | None = None) -> bool:
        """Asks ranks to stop after a checkpoint, kills those that have not after the grace; False if any is left."""

        def gone() -> bool:
            return not any(older_than is None or each.attempt < older_than for each in self.ranks)

        if grace_seconds:
            self.signal(signal.SIGTERM, older_than=older_than)
            if await self._wait(gone, grace_seconds):
                return True
        self.signal(signal.SIGKILL, older_than=older_than)
        if await self._wait(gone, _KILL_SECONDS):
            return True
        for each in list(self.ranks):
            if older_than is None or each.attempt < older_than:
                _kill(each.child)
                _kill(each.starter)
        return await self._wait(gone, _KILL_SECONDS)

    async def _wait(self, true: Callable[[], bool], seconds: float) -> bool:
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(true), seconds)
        return true()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Cancelled: `work` ends, and asyncio would show a traceback of it.
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            if line := await reader.readline():
                hello = decode(line)
                await {"rank": self._serve_rank, "launcher": self._serve_launcher}[hello["i"]](hello, reader, writer)
        writer.close()

    # ---- Ranks ----

    async def _serve_rank(self, hello: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rank = Rank(hello["rank"], hello["attempt"], hello["pid"], writer)
        if rank.attempt < self.attempt or self.over.is_set():
            writer.write(encode({"refused": f"attempt {self.attempt} has begun"}))
            return
        self.attempt = rank.attempt
        self.ranks.add(rank)
        writer.write(encode({"environment": dict(self._environment(rank.attempt, rank.rank))}))
        try:
            while line := await reader.readline():
                self._hear(rank, decode(line))
        finally:
            self.ranks.discard(rank)
            if not rank.ended:
                self._end(rank, None)
            async with self._changed:
                self._changed.notify_all()

    def _hear(self, rank: Rank, message: Message) -> None:
        kind = message["kind"]
        if kind == "line":
            self._line(rank, message["text"])
        elif kind == "started":
            rank.child = message["child"]
            self._tell_of(rank, kind="started")
        elif kind == "beat":
            self._tell_of(rank, **message)
        elif kind == "ended":
            self._end(rank, message["code"], by_signal=message["by_signal"])

    def _line(self, rank: Rank, text: str) -> None:
        """To the pod's log with its rank; to the launcher rank 0's, and what other ranks say in their own name."""
        named = re.search(rf'\brank {rank.rank}: |"rank": {rank.rank},', text)
        self._say(text if rank.rank == 0 or named else f"rank {rank.rank}: {text}")
        rank.last = text.strip() or rank.last
        if rank.rank == 0 or named:
            self._tell_of(rank, kind="line", text=text)
        else:
            rank.tail.append(text)

    def _end(self, rank: Rank, code: int | None, *, by_signal: bool = True) -> None:
        """A rank without a last word was killed with its starter: by the end of its attempt."""
        rank.ended = True
        out_of_memory = code == 128 + signal.SIGKILL and self._memory.new_kills() > 0
        if out_of_memory:
            self._say(f"rank {rank.rank}: killed for want of memory, at {self._memory.limit()}")
        self._tell_of(
            rank,
            kind="ended",
            code=128 + signal.SIGKILL if code is None else code,
            by_others=code is None,
            by_signal=by_signal,
            out_of_memory=self._memory.limit() if out_of_memory else "",
            last=rank.last,
            tail=list(rank.tail),
        )

    def _tell_of(self, rank: Rank, **message: object) -> None:
        self.tell(rank=rank.rank, attempt=rank.attempt, **message)

    # ---- The launcher ----

    async def _serve_launcher(self, hello: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        after = hello["after"]
        writer.write(encode({"kind": "hello", "pod": self._pod, "attempt": self.attempt, "number": self._number}))
        for number, data in self._kept:
            if after is not None and number > after:
                writer.write(data)
        self._launchers.add(writer)
        self.unattended_since = None
        try:
            while line := await reader.readline():
                self._obey(decode(line))
        finally:
            self._launchers.discard(writer)
            if not self._launchers:
                self.unattended_since = time.monotonic()

    def _obey(self, message: Message) -> None:
        do = message["do"]
        if do == "attempt":
            task = asyncio.get_running_loop().create_task(self._begin(message))
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)
        elif do == "signal":
            self.signal(message["signal"])
        elif do == "over":
            self.over.set()

    async def _begin(self, message: Message) -> None:
        """Makes way for an attempt: older ranks are refused from now on, and ended."""
        number = message["attempt"]
        self.attempt = max(self.attempt, number)
        cleared = await self.end_ranks(message["grace_seconds"], older_than=number)
        if cleared and message["fresh"]:
            self._fresh()
        self.tell(kind="cleared" if cleared else "stuck", attempt=number)


def _kill(process: int | None) -> None:
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
