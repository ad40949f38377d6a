"""The launcher's line to one worker: ssh to its ``work``, kept up as long as the pod lives, its messages as events."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from k8s.messages import Lines, Message, decode, encode

PORT = 2222
_PROBE_SECONDS = 3.0
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Said:
    """A worker's ``work`` said something."""

    worker: int
    uid: str
    message: Message


@dataclass(frozen=True)
class Unreached:
    """A worker is not on the line, and why."""

    worker: int
    uid: str
    why: str


class Channel:
    """Connects in a thread of its own, again and again, until it is closed.

    Args:
        worker: its index.
        uid: of its pod; a successor gets a channel of its own.
        address: the pod's IP address.
        host: its name, which must lead to that address before ranks can be started there.
        put: takes the events, from the channel's thread.
        ssh: the command, with options.
        port: of its sshd.
    """

    def __init__(
        self,
        worker: int,
        uid: str,
        address: str,
        host: str,
        put: Callable[[Said | Unreached], None],
        ssh: Sequence[str],
        port: int = PORT,
    ) -> None:
        self.worker, self.uid, self.address, self.host = worker, uid, address, host
        self._put, self._ssh, self._port = put, ssh, port
        self._process: subprocess.Popen[bytes] | None = None
        self._after: int | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._keep, name=f"worker {worker}", daemon=True).start()

    @property
    def process_id(self) -> int | None:
        """Of ssh; None before the first connection."""
        return self._process.pid if self._process else None

    def ask(self, **message: object) -> None:
        """Says something to ``work``; lost if the line is down, as every answer would be."""
        process = self._process
        if process and process.stdin:
            with contextlib.suppress(OSError):
                process.stdin.write(encode(message))
                process.stdin.flush()

    def close(self) -> None:
        """Ends the line."""
        self._closed.set()
        if self._process:
            self._process.kill()

    def _keep(self) -> None:
        while not self._closed.is_set():
            why = self._hindrance() or self._talk()
            if not self._closed.is_set():
                self._put(Unreached(self.worker, self.uid, why))
            self._closed.wait(_AGAIN_SECONDS)

    def _hindrance(self) -> str:
        try:
            with socket.create_connection((self.address, self._port), _PROBE_SECONDS) as link:
                link.settimeout(_PROBE_SECONDS)
                banner = link.recv(64)
        except OSError as error:
            return f"its sshd at {self.address}:{self._port} does not answer ({error})"
        if not banner.startswith(b"SSH-"):
            return f"what answers at {self.address}:{self._port} is not sshd (a mesh's sidecar?)"
        try:
            found = {str(each[4][0]) for each in socket.getaddrinfo(self.host, None)}
        except OSError as error:
            return f"its name {self.host} does not resolve ({error.strerror or error})"
        if self.address not in found:
            return f"its name {self.host} leads to {', '.join(sorted(found))}, not to {self.address}"
        return ""

    def _talk(self) -> str:
        """One connection, from its first word to its end; why it ended."""
        command = [*self._ssh, "-T", self.address, sys.executable, "-m", "k8s.bridge"]
        process = self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        complaints: list[bytes] = []
        drain = threading.Thread(target=lambda: complaints.extend(process.stderr or ()), daemon=True)
        drain.start()
        # What was said while the line was down is said again.
        self.ask(i="launcher", after=self._after)
        self._listen(process)
        process.kill()
        code = process.wait()
        drain.join(_PROBE_SECONDS)
        words = b" ".join(each.strip() for each in complaints[-3:]).decode(errors="replace")
        return f"its ssh connection ended with {code}{': ' + words if words else ''}"

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        lines = Lines()
        while process.stdout and (data := process.stdout.read1()):  # type: ignore[attr-defined]
            for line in lines.feed(data):
                message = decode(line)
                if "number" in message:
                    self._after = message["number"]
                self._put(Said(self.worker, self.uid, message))
