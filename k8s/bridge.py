"""Joins stdin and stdout to the socket of ``work``: what ``launch`` runs over ssh on a worker.

python -m k8s.bridge
"""

import os
import selectors
import socket
import sys
from collections.abc import Callable

from k8s.messages import run_folder, socket_path

_BYTES = 64 * 1024


def main() -> int:
    """Until either side closes. 0, or 1 where ``work`` is not there."""
    desk = socket.socket(socket.AF_UNIX)
    try:
        desk.connect(str(socket_path(run_folder())))
    except OSError as error:
        sys.stderr.write(f"no answer from cxr-train work: {error.strerror}\n")
        return 1
    with desk, selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ, lambda: _copy(os.read(0, _BYTES), desk.sendall))
        ready.register(desk, selectors.EVENT_READ, lambda: _copy(desk.recv(_BYTES), _write))
        while all(key.data() for key, _ in ready.select()):
            pass
    return 0


def _copy(data: bytes, send: Callable[[bytes], None]) -> bool:
    if data:
        send(data)
    return bool(data)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main())
