"""Process 1 of a worker: sshd, the ranks' desk, their metrics, and an orderly end. ``cxr-train work``."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import IO, Any

from k8s import environment, sshd
from k8s.cgroup import Memory
from k8s.desk import Desk
from k8s.messages import Lines, run_folder
from k8s.place import Place
from k8s.termination import write_reason
from trainer.config import Config
from trainer.errors import ClusterError, Stopped
from trainer.telemetry import beat
from trainer.telemetry.exporter import DIRECTORY_VARIABLE, Server, serve

_LEAVE = (signal.SIGTERM, signal.SIGINT)
_WATCH_SECONDS = 2.0
_SSHD_STARTS = 5
_BE_THE_REAPER = 36  # PR_SET_CHILD_SUBREAPER


def work(config: Config, place: Place, sshd_config: Path = sshd.CONFIG) -> int:
    """Until the launcher says that the job is over (0), or the pod is told to leave (143, after a checkpoint).

    Raises ClusterError where sshd does not run.
    """
    sshd.name_this_user()
    ctypes.CDLL(None).prctl(_BE_THE_REAPER, 1)
    return asyncio.run(Worker(config, place, run_folder(), sshd_config).run())


class Worker:
    """The running ``work`` of one pod."""

    def __init__(self, config: Config, place: Place, folder: Path, sshd_config: Path) -> None:
        self._config, self._place, self._folder, self._sshd_config = config, place, folder, sshd_config
        self._metrics, self._beats = folder / "metrics", folder / "beats"
        self._memory = Memory()
        self._desk = Desk(place.pod, self._environment, _say, self._memory, self._forget_metrics)
        self._leaving = asyncio.Event()
        self._sshd: subprocess.Popen[bytes] | None = None
        self._sshd_starts = 0
        self._failed: ClusterError | None = None

    async def run(self) -> int:
        """The exit code of the pod."""
        loop = asyncio.get_running_loop()
        for number in _LEAVE:
            loop.add_signal_handler(number, self._leaving.set)
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        for folder in (self._metrics, self._beats):
            folder.mkdir(parents=True, exist_ok=True)
        sshd.make_host_key(self._folder)
        metrics = self._serve_metrics()
        server = await self._desk.open(self._folder)
        self._start_sshd()
        watch = asyncio.create_task(self._watch())
        try:
            await _first_of(self._desk.over.wait(), self._leaving.wait())
            return await self._end()
        finally:
            watch.cancel()
            server.close()
            self._stop_sshd()
            if metrics:
                metrics.close()
            # A closing loop gives up its end of the signals before it stops listening to them.
            loop.remove_signal_handler(signal.SIGCHLD)
            for number in _LEAVE:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)

    async def _end(self) -> int:
        if self._failed:
            raise self._failed
        if self._desk.over.is_set():
            await self._desk.end_ranks(0.0)
            _say(f"{self._place.pod}: the job is over")
            return 0
        # sshd stays, and mpirun's daemon with it, until the ranks have left.
        grace = self._config.cluster.grace_seconds
        if self._desk.ranks:
            _say(f"{self._place.pod}: told to leave; its ranks have {grace:g} s to checkpoint")
        self._desk.tell(kind="leaving")
        await self._desk.end_ranks(grace)
        return Stopped.exit_code

    async def _watch(self) -> None:
        """Sees kills that no rank's end tells of, and a launcher that stays away."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if not self._desk.ranks and (kills := self._memory.new_kills()):
                self._tell_of_memory(kills)
            since, patience = self._desk.unattended_since, self._config.restarts.stall_seconds
            if self._desk.ranks and since is not None and time.monotonic() - since > patience:
                _say(f"{self._place.pod}: no launcher for {patience:g} s; its ranks are ended")
                await self._desk.end_ranks(self._config.cluster.grace_seconds)

    def _tell_of_memory(self, kills: int) -> None:
        line = f"{self._place.pod}: {kills} processes were killed for want of memory, at {self._memory.limit()}"
        _say(line)
        write_reason(line)
        self._desk.tell(kind="note", text=line)

    def _environment(self, attempt: int, rank: int) -> Mapping[str, str]:
        given = environment.of_a_rank(os.environ) | {
            beat.FILE_VARIABLE: str(self._beats / f"{attempt}-{rank}"),
            # Who failed and how is told by its starter; a rank that lost its peers need not.
            "CXR_TRAIN_WATCHED": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return given | ({DIRECTORY_VARIABLE: str(self._metrics)} if self._config.telemetry.port else {})

    def _serve_metrics(self) -> Server | None:
        telemetry = self._config.telemetry
        return serve(telemetry.port, telemetry.address, self._metrics) if telemetry.port else None

    def _forget_metrics(self) -> None:
        for folder in (self._metrics, self._beats):
            for file in folder.iterdir():
                file.unlink()

    # ---- Child processes ----

    def _start_sshd(self) -> None:
        self._sshd_starts += 1
        process = self._sshd = sshd.start(self._sshd_config)
        assert process.stderr is not None  # noqa: S101
        stderr, lines = process.stderr, Lines()
        os.set_blocking(stderr.fileno(), False)
        asyncio.get_running_loop().add_reader(stderr, lambda: self._hear_sshd(stderr, lines))

    def _hear_sshd(self, stderr: IO[bytes], lines: Lines) -> None:
        data = stderr.read()
        if not data:
            asyncio.get_running_loop().remove_reader(stderr)
            stderr.close()
        for line in lines.feed(data or b""):
            text = line.decode(errors="replace").rstrip()
            if not sshd.is_noise(text):
                _say(f"sshd: {text}")

    def _stop_sshd(self) -> None:
        if self._sshd:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._sshd.pid, signal.SIGTERM)

    def _reap(self) -> None:
        """Takes every child that has ended: as process 1, also those whose parents went before them."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            if self._sshd and process == self._sshd.pid:
                self._sshd.returncode = os.waitstatus_to_exitcode(status)
                self._restart_sshd(self._sshd.returncode)

    def _restart_sshd(self, code: int) -> None:
        if self._leaving.is_set() or self._desk.over.is_set():
            return
        if self._sshd_starts < _SSHD_STARTS:
            _say(f"{self._place.pod}: sshd ended with {code}; it is started again")
            asyncio.get_running_loop().call_later(1.0, self._start_sshd)
            return
        self._failed = ClusterError(
            str(self._sshd_config), code, "is what sshd ended with, again and again", "read its words above"
        )
        self._leaving.set()


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.create_task(each) for each in waits]
    _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in rest:
        each.cancel()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
