"""Starts the ranks of a run on this machine, signals them, and reports the one that ended it.

Horovod's Gloo needs a meeting point: its own key-value server, bound to the loopback address alone.
"""

import ctypes
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import psutil

from trainer.errors import ClusterError, PeerLost, Stopped, StoreDown

WATCHED_VARIABLE = "CXR_TRAIN_WATCHED"
"""Environment variable of a rank: set, the process that started it tells when and how each rank ended."""

_LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OWN_CODES = (PeerLost.exit_code, Stopped.exit_code, StoreDown.exit_code)
"""Of our own errors, those that look like the end by a signal."""
_LEAVE_SECONDS = 10.0
"""What the other ranks get to leave by themselves once one has failed."""


@dataclass(frozen=True)
class Ended:
    """A process of the run that ended: ``code`` as a shell would see it (128 + signal for a killed one)."""

    name: str
    code: int


def launch_gloo(count: int, command: Sequence[str], *, errors: TextIO = sys.stderr) -> int:
    """Runs ``command`` as ``count`` ranks over Gloo; the exit code of the run. Signals are passed on to all ranks."""
    processes: list[subprocess.Popen[bytes]] = []
    with _meeting_point() as port, _passing_signals_on(processes) as all_started:
        for rank in range(count):
            environment = os.environ | gloo_environment(rank, count, port) | {WATCHED_VARIABLE: "1"}
            processes.append(_start(command, environment))
        all_started()
        return _supervise(processes, [f"rank {rank}" for rank in range(count)], errors)


def launch_mpi(count: int, command: Sequence[str], *, errors: TextIO = sys.stderr) -> int:
    """The same under Open MPI's mpirun. Raises ClusterError if there is none."""
    mpirun = shutil.which("mpirun")
    if mpirun is None:
        raise ClusterError(
            "collectives.launcher", "mpi", "needs mpirun, which is not here", "install openmpi-bin, or choose gloo"
        )
    processes: list[subprocess.Popen[bytes]] = []
    with _passing_signals_on(processes) as all_started:
        options = mpirun_options(count, os.geteuid() == 0)
        processes.append(_start([mpirun, *options, *command], os.environ))
        all_started()
        return _supervise(processes, ["a rank under mpirun"], errors)


def gloo_environment(rank: int, count: int, port: int) -> dict[str, str]:
    """What Horovod reads to find its place and the meeting point, all ranks on one machine."""
    place = {
        "RANK": rank,
        "SIZE": count,
        "LOCAL_RANK": rank,
        "LOCAL_SIZE": count,
        "CROSS_RANK": 0,
        "CROSS_SIZE": 1,
        "HOSTNAME": "localhost",
        "CONTROLLER": "gloo",
        "CPU_OPERATIONS": "gloo",
        "GLOO_RENDEZVOUS_ADDR": _LOOPBACK,
        "GLOO_RENDEZVOUS_PORT": port,
        "GLOO_IFACE": "lo",
    }
    return {f"HOROVOD_{name}": str(value) for name, value in place.items()}


def mpirun_options(count: int, as_root: bool) -> list[str]:
    """For ranks of one machine that pin themselves, and yield their core while they wait.

    Once a rank has failed, mpirun gives the others two seconds. More (odls_base_sigkill_timeout) it would always
    wait to the end, so ranks must leave only when all has been committed.
    """
    options = ["-np", str(count), "--bind-to", "none", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1"]
    return [*options, "--allow-run-as-root"] if as_root else options


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """In a session of its own, because the terminal's Ctrl-C is passed on; told to stop if this process is killed."""
    libc = ctypes.CDLL(None)

    def end_with_launcher() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(command, env=environment, start_new_session=True, preexec_fn=end_with_launcher)


@contextmanager
def _meeting_point() -> Iterator[int]:
    from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer

    server = RendezvousHTTPServer((_LOOPBACK, 0), RendezvousHandler, verbose=0)
    server.init([])
    thread = threading.Thread(target=server.serve_forever, name="meeting-point", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()


def _supervise(processes: Sequence[subprocess.Popen[bytes]], names: Sequence[str], errors: TextIO) -> int:
    """Waits for all; once one fails, ends the rest. The exit code of the first that failed by itself."""
    ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    for process, name in zip(processes, names, strict=True):
        threading.Thread(target=lambda p=process, n=name: ended.put(_await(p, n)), daemon=True).start()
    failures: list[Ended] = []
    deadline: float | None = None
    for _ in processes:
        one = _next(ended, deadline)
        if one is None:
            _signal_ranks(processes, signal.SIGKILL)
            one = ended.get()
        elif one.code:
            if not failures:
                errors.write(_obituary(one))
            failures.append(one)
            deadline = deadline or time.monotonic() + _LEAVE_SECONDS
    if failures and all(each.code == PeerLost.exit_code for each in failures):
        errors.write("the ranks lost one another, and none of them failed by itself; start again to go on\n")
    return _verdict(failures)


def _await(process: subprocess.Popen[bytes], name: str) -> Ended:
    code = process.wait()
    return Ended(name, 128 - code if code < 0 else code)


def _next(ended: "queue.SimpleQueue[Ended]", deadline: float | None) -> Ended | None:
    """The next process that ends; None once the deadline has passed."""
    try:
        return ended.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


def _verdict(failures: Sequence[Ended]) -> int:
    """The run's exit code: of the first failure that another rank did not cause; 0 without failures."""
    own = [each.code for each in failures if each.code not in (PeerLost.exit_code, Stopped.exit_code)]
    return (own or [each.code for each in failures] or [0])[0]


def _obituary(ended: Ended) -> str:
    """A line for a process that could not speak for itself: one that a signal ended."""
    number = ended.code - 128
    if number not in set(signal.Signals) or ended.code in _OWN_CODES:
        return ""
    return f"{ended.name}: ended by {signal.Signals(number).name} (exit {ended.code}); the run stops\n"


@contextmanager
def _passing_signals_on(processes: Sequence[subprocess.Popen[bytes]]) -> Iterator[Callable[[], None]]:
    """The first SIGINT or SIGTERM asks the ranks to stop after a checkpoint; the second ends them.

    Yields what is to be called once all have started: a signal that came before reaches those it missed.
    """
    asked = False

    def pass_on(number: int, frame: object) -> None:  # noqa: ARG001 - the signal module's form
        nonlocal asked
        _signal_ranks(processes, signal.SIGKILL if asked else signal.SIGTERM)
        asked = True

    def all_started() -> None:
        if asked:
            _signal_ranks(processes, signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield all_started
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_ranks(processes: Sequence[subprocess.Popen[bytes]], number: signal.Signals) -> None:
    """Ranks only, never mpirun, which would give them a second to live; a rank that has left is no error."""
    for process in processes:
        for rank in _ranks_under(process):
            try:
                rank.send_signal(number)
            except psutil.NoSuchProcess:
                continue


def _ranks_under(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        root = psutil.Process(process.pid)
        # An mpirun that has not started its ranks yet has nothing to lose by being told itself.
        return (root.children() or [root]) if root.name() == "mpirun" else [root]
    except psutil.NoSuchProcess:
        return []


def same_command(arguments: Sequence[str]) -> list[str]:
    """This program again, with the same arguments: a rank finds its place in its environment."""
    return [sys.executable, "-m", "trainer.cli", *arguments]
