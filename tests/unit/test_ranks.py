"""Starting ranks on one machine: their environment, and what the run says when one of them ends."""

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from trainer import ranks
from trainer.errors import ClusterError
from trainer.ranks import Ended, gloo_environment, launch_gloo, launch_mpi, mpirun_options, same_command
from trainer.topology import Topology, from_environment


def python(*lines: str) -> list[str]:
    """A process that knows its rank; quick to start."""
    return [sys.executable, "-I", "-S", "-c", "\n".join([PRELUDE, *lines])]


PRELUDE = """
import os, signal, sys
rank = int(os.environ["HOROVOD_RANK"])
def tell(fifo):
    with open(fifo, "wb", buffering=0) as stream: stream.write(b"x")
"""


STOPS = python(
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))",
    "tell(sys.argv[1])",
    "while True: signal.pause()",
)
"""A rank that stops when it is asked to."""


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


def test_a_rank_finds_the_place_it_was_given() -> None:
    assert from_environment(gloo_environment(2, 4, 5000)) == Topology(2, 4, 2, 4)


def test_ranks_meet_on_the_loopback_address_alone() -> None:
    environment = gloo_environment(1, 2, 5000)
    assert environment["HOROVOD_GLOO_RENDEZVOUS_ADDR"] == "127.0.0.1"
    assert environment["HOROVOD_GLOO_RENDEZVOUS_PORT"] == "5000"
    assert environment["HOROVOD_GLOO_IFACE"] == "lo"


def test_mpirun_does_not_bind_ranks_that_pin_themselves() -> None:
    options = mpirun_options(3, as_root=False)
    assert options[:2] == ["-np", "3"]
    assert options[options.index("--bind-to") + 1] == "none"
    assert "--allow-run-as-root" not in options


def test_mpirun_is_told_when_root_starts_it() -> None:
    assert "--allow-run-as-root" in mpirun_options(3, as_root=True)


def test_a_rank_is_this_program_with_the_same_arguments() -> None:
    assert same_command(["train", "--ranks", "2"]) == [sys.executable, "-m", "trainer.cli", "train", "--ranks", "2"]


def test_without_mpirun_the_cure_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"^collectives.launcher: 'mpi' needs mpirun, .* or choose gloo$"):
        launch_mpi(2, ["true"])


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([], 0),
        ([Ended("rank 1", 3)], 3),
        ([Ended("rank 1", 3), Ended("rank 0", 7)], 3),
        ([Ended("rank 0", 144), Ended("rank 1", 3)], 3),
        ([Ended("rank 0", 144), Ended("rank 1", 137), Ended("rank 2", 3)], 137),
        ([Ended("rank 0", 143), Ended("rank 1", 143)], 143),
        ([Ended("rank 0", 143), Ended("rank 1", 5)], 5),
        ([Ended("rank 0", 144), Ended("rank 1", 144)], 144),
    ],
)
def test_the_runs_code_is_the_first_failures_that_no_other_rank_caused(failures: list[Ended], code: int) -> None:
    assert ranks._verdict(failures) == code


@pytest.mark.parametrize(("code", "speaks"), [(137, True), (143, False), (144, False), (145, False), (3, False)])
def test_only_a_rank_that_a_signal_ended_is_spoken_for(code: int, speaks: bool) -> None:
    assert bool(ranks._obituary(Ended("rank 1", code))) == speaks


def test_a_run_whose_ranks_all_end_well_ends_well() -> None:
    told = io.StringIO()
    assert launch_gloo(3, python("sys.exit(0)"), errors=told) == 0
    assert told.getvalue() == ""


def test_every_rank_is_started_once_with_its_number(tmp_path: Path) -> None:
    write = "open(os.path.join(sys.argv[1], str(rank)), 'x').write(os.environ['HOROVOD_SIZE'])"
    assert launch_gloo(3, [*python(write), str(tmp_path)]) == 0
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"0": "3", "1": "3", "2": "3"}


def test_the_rest_is_ended_once_one_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_LEAVE_SECONDS", 0.05)
    told = io.StringIO()
    assert launch_gloo(3, python("sys.exit(3) if rank == 1 else signal.pause()"), errors=told) == 3
    assert told.getvalue() == ""


def test_ranks_may_leave_by_themselves_after_one_has_failed(fifo: Path) -> None:
    """Rank 0 leaves with PeerLost's code only after rank 1 is gone, and its word is not the run's."""
    waits = "open(sys.argv[1], 'rb').read(); sys.exit(144)"
    fails = "stream = open(sys.argv[1], 'wb'); os._exit(3)"
    assert launch_gloo(2, [*python(f"if rank == 0: {waits}", fails), str(fifo)]) == 3


def test_a_rank_that_was_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "_LEAVE_SECONDS", 0.05)
    told = io.StringIO()
    killed = python("os.kill(os.getpid(), signal.SIGKILL) if rank == 1 else signal.pause()")
    assert launch_gloo(2, killed, errors=told) == 137
    assert told.getvalue() == "rank 1: ended by SIGKILL (exit 137); the run stops\n"


def test_a_rank_that_crashed_is_named() -> None:
    told = io.StringIO()
    crashed = python("import resource", "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "os.abort()")
    assert launch_gloo(1, crashed, errors=told) == 134
    assert told.getvalue() == "rank 0: ended by SIGABRT (exit 134); the run stops\n"


def signal_this_process(fifo: Path, *numbers: signal.Signals) -> threading.Thread:
    """Sends a signal each time a rank has told that it is ready for it."""
    main = threading.main_thread().ident
    assert main is not None

    def send() -> None:
        for number in numbers:
            # To its end: a writer that has not closed yet would be taken for the next one.
            assert fifo.read_bytes() == b"x"
            signal.pthread_kill(main, number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_as_a_wish_to_stop(fifo: Path, number: signal.Signals) -> None:
    told = io.StringIO()
    sender = signal_this_process(fifo, number)
    assert launch_gloo(1, [*STOPS, str(fifo)], errors=told) == 143
    sender.join()
    assert told.getvalue() == ""


def test_a_second_signal_ends_ranks_that_do_not_stop(fifo: Path) -> None:
    stubborn = python(
        "signal.signal(signal.SIGTERM, lambda *_: tell(sys.argv[1]))",
        "tell(sys.argv[1])",
        "while True: signal.pause()",
    )
    sender = signal_this_process(fifo, signal.SIGTERM, signal.SIGTERM)
    assert launch_gloo(1, [*stubborn, str(fifo)], errors=io.StringIO()) == 137
    sender.join()


def test_a_signal_that_comes_while_ranks_are_started_is_not_lost(monkeypatch: pytest.MonkeyPatch, fifo: Path) -> None:
    start = ranks._start

    def start_and_be_told_to_stop(*arguments: Any) -> Any:
        process = start(*arguments)
        assert fifo.read_bytes() == b"x"
        signal.raise_signal(signal.SIGTERM)
        return process

    monkeypatch.setattr(ranks, "_start", start_and_be_told_to_stop)
    assert launch_gloo(1, [*STOPS, str(fifo)], errors=io.StringIO()) == 143


# Under nohup a hang-up is ignored, and is to stay so: here it is not.
LAUNCHES_ONE = (
    "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); "
    "from trainer.ranks import launch_gloo; launch_gloo(1, sys.argv[1:])"
)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_a_launcher_that_is_killed_leaves_no_rank_behind(fifo: Path, number: signal.Signals) -> None:
    told_to_stop = python(
        "signal.signal(signal.SIGTERM, lambda *_: (tell(sys.argv[1]), sys.exit(143)))",
        "tell(sys.argv[1])",
        "while True: signal.pause()",
    )
    with subprocess.Popen([sys.executable, "-c", LAUNCHES_ONE, *told_to_stop, str(fifo)]) as launcher:
        assert fifo.read_bytes() == b"x"
        launcher.send_signal(number)
        assert fifo.read_bytes() == b"x"


def test_signals_mean_what_they_did_once_the_run_is_over() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    launch_gloo(1, python("sys.exit(0)"))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
