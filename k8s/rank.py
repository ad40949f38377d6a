"""What mpirun starts on a worker: one rank of an attempt, under the pod's environment.

    python -m k8s.rank ATTEMPT COMMAND...

It asks ``work`` for the environment, so that no value of it travels in a command line, passes on what the rank says,
and tells how it ended. It imports little, because one stays beside each rank.
"""

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from k8s.messages import LINE_BYTES, Lines, Message, decode, encode, run_folder, socket_path
from trainer.telemetry import beat

GONE = 144
"""Exit code of a rank that was refused or has lost ``work``: worth a retry, and not its own fault."""

TICK_SECONDS = 1.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_BYTES = 64 * 1024


def main(arguments: Sequence[str] = sys.argv[1:]) -> int:
    """The rank's own exit code, 128 + signal for one that was killed."""
    attempt, *command = arguments
    # mpirun asks the ranks of a failed attempt to end before it kills them; what asks a rank to stop is `work`.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    desk = Desk()
    desk.send({"i": "rank", "rank": rank, "attempt": int(attempt), "pid": os.getpid()})
    welcome = desk.answer()
    if "environment" not in welcome:
        return GONE
    return Watcher(desk, command, os.environ | welcome["environment"]).run()


class Desk:
    """The line to ``work``."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(socket_path(run_folder())))
        self._lines = Lines()
        self._heard: list[bytes] = []

    def send(self, message: Message) -> None:
        """Blocks while ``work`` is busy, and the rank with it: nothing is lost."""
        self.socket.sendall(encode(message))

    def answer(self) -> Message:
        """Waits for a message; an empty one if ``work`` is gone."""
        while not self._heard:
            data = self.socket.recv(_BYTES)
            if not data:
                return {}
            self._heard += self._lines.feed(data)
        return decode(self._heard.pop(0))

    def has_more(self) -> bool:
        """Whether an answer has come together with the last one."""
        return bool(self._heard)


class Watcher:
    """A running rank, its words, its beat and its end."""

    def __init__(self, desk: Desk, command: Sequence[str], environment: dict[str, str]) -> None:
        self._desk = desk
        self._beat_file = Path(environment.get(beat.FILE_VARIABLE, "/nowhere"))
        self._parent = os.getppid()
        self._child = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Out of the process group that mpirun's daemon kills, so that this process speaks for it to the end.
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        assert self._child.stdout is not None  # noqa: S101
        self._output = self._child.stdout.fileno()
        os.set_blocking(self._output, False)
        self._lines = Lines(LINE_BYTES)
        self._told: Message = {}
        desk.send({"kind": "started", "child": self._child.pid})

    def run(self) -> int:
        """Until the rank has ended and all it said is passed on."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._output, selectors.EVENT_READ, lambda: self._hear(ready))
            ready.register(self._desk.socket, selectors.EVENT_READ, self._obey)
            ended = os.pidfd_open(self._child.pid)
            ready.register(ended, selectors.EVENT_READ, lambda: None)
            due = 0.0
            while self._child.poll() is None:
                for key, _ in ready.select(TICK_SECONDS):
                    key.data()
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_SECONDS
                    self._tick()
            os.close(ended)
        return self._tell_end()

    def _hear(self, ready: selectors.BaseSelector | None = None) -> bool:
        """Passes on what there is to read; False once there will be no more."""
        try:
            data = os.read(self._output, _BYTES)
        except BlockingIOError:
            return False
        if not data and ready:
            ready.unregister(self._output)
        for line in self._lines.feed(data):
            self._say(line)
        return bool(data)

    def _say(self, line: bytes) -> None:
        self._desk.send({"kind": "line", "text": line.decode(errors="replace").rstrip("\r")})

    def _obey(self) -> None:
        while True:
            message = self._desk.answer()
            if not message:
                self._kill()
                sys.exit(GONE)
            self._child.send_signal(message["signal"])
            if not self._desk.has_more():
                return

    def _tick(self) -> None:
        if os.getppid() != self._parent:
            # mpirun's daemon is gone, so this attempt is over, whatever the other ranks are told.
            self._say(b"the MPI daemon that started this rank is gone; the rank is ended")
            self._kill()
            return
        numbers = asdict(beat.read(self._beat_file) or beat.Beat())
        # NaN is never equal to itself, so what is unknown is left out.
        known = {key: value for key, value in numbers.items() if value == value}
        now = {"kind": "beat", "beat": known, "state": state_of(self._child.pid)}
        if now != self._told:
            self._told = now
            self._desk.send(now)

    def _kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def _tell_end(self) -> int:
        while self._hear():
            pass
        for line in self._lines.end():
            self._say(line)
        code = self._child.returncode
        self._desk.send({"kind": "ended", "code": 128 - code if code < 0 else code, "by_signal": code < 0})
        return 128 - code if code < 0 else code


def state_of(pid: int) -> str:
    """``stopped``, ``blocked`` (uninterruptible: a disk or file server that does not answer), or nothing special."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
    return {"T": "stopped", "t": "stopped", "D": "blocked"}.get(letter, "")


def _die_with_parent() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
