"""The benchmark's end of the line: starts the processes of a side, keeps them still until it is their turn."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from benchmarks.channel import ADDRESS_VARIABLE, Settings
from benchmarks.result import FOLDER

TORCH = Path(".bench/torch/bin/python")
"""The interpreter with PyTorch, which shares nothing with TensorFlow's."""

PEERS = Path(".bench/peers/bin/python")
"""The interpreter with the libraries that read films for PyTorch."""

_LOGS = FOLDER / "logs"
_ACCEPT_SECONDS = 1.0
_LOG_TAIL = 2000


def program(name: str, settings: Settings, *, python: Path | str = sys.executable) -> list[str]:
    """The command line of a program in ``benchmarks/programs``; without ``cores`` it gets the first two."""
    return [str(python), "-m", f"benchmarks.programs.{name}", json.dumps({"cores": first_cores(2), **settings})]


def first_cores(count: int) -> list[int]:
    """So many of the cores this process may use."""
    return sorted(os.sched_getaffinity(0))[:count]


class Side:
    """Processes that stay warm while others have their turn; stopped then (SIGSTOP), so that they cost nothing.

    ::

        with Side("ours", [program("ours", {...})]) as ours:
            answers = ours(steps=8)

    Args:
        name: of the log in ``.runs/bench/logs``.
        commands: started together.
        processes: that connect: more than commands where a command starts ranks.
    """

    def __init__(self, name: str, commands: Sequence[Sequence[str]], *, processes: int | None = None) -> None:
        self._name, self._commands = name, commands
        self._expected = processes or len(commands)
        self._streams: list[TextIO] = []
        self.pids: list[int] = []
        _LOGS.mkdir(parents=True, exist_ok=True)
        self._log = _LOGS / f"{name}.log"

    def __enter__(self) -> Self:
        with tempfile.TemporaryDirectory(prefix="cxr-bench-") as folder, socket.socket(socket.AF_UNIX) as door:
            address = f"{folder}/socket"
            door.bind(address)
            door.listen()
            self._processes = self._start(address)
            for _ in range(self._expected):
                self._streams.append(self._accept(door).makefile("rw", encoding="utf-8"))
        self.pids = [each["pid"] for each in self._answers()]
        self._answers()
        self._signal(signal.SIGSTOP)
        return self

    def __call__(self, **request: Any) -> list[Settings]:
        """The side's turn: the answers of its processes to one request."""
        self._signal(signal.SIGCONT)
        for stream in self._streams:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
        answers = self._answers()
        self._signal(signal.SIGSTOP)
        return answers

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind:
            for process in self._processes:
                process.terminate()
        self._signal(signal.SIGCONT)
        for stream in self._streams:
            stream.close()
        for process in self._processes:
            process.wait()

    def _start(self, address: str) -> list[subprocess.Popen[bytes]]:
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, ADDRESS_VARIABLE: address}
        with self._log.open("wb") as log:
            return [subprocess.Popen(each, env=environment, stdout=log, stderr=log) for each in self._commands]

    def _accept(self, door: socket.socket) -> socket.socket:
        door.settimeout(_ACCEPT_SECONDS)
        while True:
            try:
                return door.accept()[0]
            except TimeoutError:
                if any(process.poll() for process in self._processes):
                    raise self._failure() from None

    def _answers(self) -> list[Settings]:
        lines = [stream.readline() for stream in self._streams]
        if not all(lines):
            raise self._failure()
        return [json.loads(line) for line in lines]

    def _failure(self) -> RuntimeError:
        for process in self._processes:
            process.terminate()
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]
        return RuntimeError(f"{self._name} ended; its log {self._log} ends in:\n{tail}")

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.pids:
            # A rank that has ended because another did is told of by the answer that is missing.
            with suppress(ProcessLookupError):
                os.kill(pid, number)
