"""What ranks, ``work`` and ``launch`` say to each other: JSON objects, one a line, over a socket of the worker's pod.

    rank -> work      hello, line*, beat*, ended
    work -> rank      welcome | refused, signal*
    launch -> work    hello, then attempt | signal | over, at any time
    work -> launch    hello, then started | line | beat | ended | cleared | note | leaving, as they happen

``launch`` reaches the socket through ssh (``k8s.bridge``): who may log in may ask, and nobody else.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Message = dict[str, Any]

LINE_BYTES = 16 * 1024
"""A longer line of a rank is cut into several."""

FRAME_BYTES = 1024 * 1024
"""No message is longer; a rank's environment is the longest."""


def run_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where a pod's processes meet: an emptyDir."""
    return Path(environment.get("CXR_TRAIN_RUN", "/run/cxr-train"))


def socket_path(folder: Path) -> Path:
    """The socket that ``work`` listens on."""
    return folder / "work.sock"


def encode(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """A line as a message; raises ValueError for anything else."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise TypeError(f"not a message: {line[:80]!r}")
    return message


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, longest: int = FRAME_BYTES) -> None:
        self._rest, self._longest = b"", longest

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends; one that is too long is cut."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [part for line in whole for part in self._cut(line)]
        while len(self._rest) > self._longest:
            lines.append(self._rest[: self._longest])
            self._rest = self._rest[self._longest :]
        return lines

    def end(self) -> list[bytes]:
        """What was left without an end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []

    def _cut(self, line: bytes) -> list[bytes]:
        return [line[at : at + self._longest] for at in range(0, max(1, len(line)), self._longest)]
