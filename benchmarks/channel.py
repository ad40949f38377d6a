"""A side's end of the line to the benchmark: JSON lines over a socket.

The socket's path is in the environment, which launchers of ranks hand on. Only the standard library is imported:
PyTorch's side has little else.
"""

import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

ADDRESS_VARIABLE = "CXR_TRAIN_BENCH_SOCKET"

Settings = dict[str, Any]


class Parent:
    """The benchmark, seen from a side. Says which process this is as soon as it is there."""

    def __init__(self) -> None:
        line = socket.socket(socket.AF_UNIX)
        line.connect(os.environ[ADDRESS_VARIABLE])
        self._stream = line.makefile("rw", encoding="utf-8")
        self.tell(pid=os.getpid())

    def tell(self, **facts: Any) -> None:
        """Sends one object."""
        self._stream.write(json.dumps(facts) + "\n")
        self._stream.flush()

    def hear(self) -> Settings | None:
        """The next request; None once the benchmark wants no more."""
        line = self._stream.readline()
        return json.loads(line) if line else None


def settings() -> Settings:
    """The command line's; pins the process to its ``cores``, so to be called before TensorFlow or PyTorch start."""
    given: Settings = json.loads(sys.argv[1])
    os.sched_setaffinity(0, given["cores"])
    return given


def serve(parent: Parent, measure: Callable[..., Mapping[str, Any]]) -> None:
    """Says that the side is warm, then measures at every request."""
    parent.tell(ready=True)
    while (request := parent.hear()) is not None:
        parent.tell(**measure(**request))
