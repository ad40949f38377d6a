"""A real ``work`` with a real sshd on this machine: what a worker's pod does for its ranks and its launcher."""

import contextlib
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

SSHD = Path("/usr/sbin/sshd")
PATIENCE_SECONDS = 60.0

pytestmark = [
    pytest.mark.skipif(not SSHD.exists(), reason="no sshd on this machine: apt-get install openssh-server"),
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="no mpirun on this machine"),
]

WORK = """
import os, sys
from pathlib import Path
from k8s.place import from_environment
from k8s.worker import work
from trainer import settings
sys.exit(work(settings.load(None, sys.argv[2:]), from_environment(os.environ), Path(sys.argv[1])))
"""

RANK = "import os, signal, sys, time; rank = int(os.environ['OMPI_COMM_WORLD_RANK']); "
STOPS = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); print('ready', flush=True); time.sleep(600)"


class Line:
    """What the launcher says and hears over ssh."""

    def __init__(self, ssh: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [*ssh, "127.0.0.1", sys.executable, "-m", "k8s.bridge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._heard: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def ask(self, **message: object) -> None:
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def hears(self, kind: str, **fields: object) -> dict:
        """Waits for a message of that kind with those fields; others are passed over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = self._heard.get(timeout=max(0.0, deadline - time.monotonic()))
            if message["kind"] == kind and fields.items() <= message.items():
                return message

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._process.stdin.close()

    def _listen(self) -> None:
        with self._process.stdout as lines:
            for line in lines:
                self._heard.put(json.loads(line))


class Pod:
    """A running ``work``, its log, and ranks started beside it."""

    def __init__(self, folder: Path, port: int, *settings: str) -> None:
        self.folder, self._port = folder, port
        self.ssh = ["ssh", "-F", str(folder / "ssh_config")]
        self.environment = os.environ | {
            "CXR_TRAIN_RUN": str(folder),
            "CXR_TRAIN_TERMINATION_LOG": str(folder / "termination"),
            "CXR_TRAIN_JOB": "chest",
            "CXR_TRAIN_RELEASE": "chest",
            "CXR_TRAIN_NAMESPACE": "films",
            "CXR_TRAIN_POD": "chest-worker-0",
            "CXR_TRAIN_WORKERS": "1",
            "CXR_TRAIN_RANKS_PER_WORKER": "2",
        }
        _write_keys(folder, port)
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", WORK, str(folder / "sshd_config"), *settings],
                env=self.environment | {"AWS_SECRET_ACCESS_KEY": "hush", "HOSTNAME": "chest-worker-0"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._open: list[Line] = []
        self._mpiruns: list[subprocess.Popen] = []

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def line(self, after: int | None = None) -> Line:
        """A launcher's line, once sshd answers."""
        wait_for(self._is_up)
        line = Line(self.ssh, self.environment)
        self._open.append(line)
        line.ask(i="launcher", after=after)
        line.hears("hello")
        return line

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", self._port)) == 0

    def mpirun(self, attempt: int, program: str, ranks: int = 2) -> subprocess.Popen:
        command = [sys.executable, "-m", "k8s.rank", str(attempt), sys.executable, "-c", RANK + program]
        options = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)]
        started = subprocess.Popen(
            ["mpirun", *options, *command],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._mpiruns.append(started)
        return started

    def close(self) -> None:
        for line in self._open:
            line.close()
        for each in self._mpiruns:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()
        below = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        for each in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.kill()
        self.process.wait()


def _write_keys(folder: Path, port: int) -> None:
    # Where sshd is started by root, it wants this folder.
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "id")], check=True)
    (folder / "termination").touch()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/ssh_host_ed25519_key\n"
        f"AuthorizedKeysFile {folder}/id.pub\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\n"
        f"LogLevel ERROR\nSetEnv CXR_TRAIN_RUN={folder}\n"
    )
    (folder / "ssh_config").write_text(
        f"Host *\n  Port {port}\n  IdentityFile {folder}/id\n  StrictHostKeyChecking no\n"
        "  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
    )


@pytest.fixture
def start_pod(tmp_path: Path, unused_port: Callable[[], int]) -> Iterator[Callable[..., Pod]]:
    pods: list[Pod] = []

    def start(*settings: str) -> Pod:
        pods.append(Pod(tmp_path, unused_port(), *settings))
        return pods[-1]

    yield start
    for each in pods:
        each.close()


@pytest.fixture
def unused_port() -> Callable[[], int]:
    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            return int(taken.getsockname()[1])

    return find


def begin(line: Line, attempt: int, grace_seconds: float = 0.0, *, fresh: bool = True) -> dict:
    line.ask(do="attempt", attempt=attempt, grace_seconds=grace_seconds, fresh=fresh)
    return line.hears("cleared", attempt=attempt)


def test_a_rank_gets_its_pods_environment_and_no_command_line_shows_it(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    program = (
        "print('key', os.environ['AWS_SECRET_ACCESS_KEY'], os.environ.get('HOSTNAME'), flush=True); time.sleep(600)"
    )
    pod.mpirun(1, program, ranks=1)
    assert line.hears("line")["text"] == f"key hush {os.environ.get('HOSTNAME')}"
    shown = [" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"])]
    assert not [each for each in shown if "hush" in each]


def test_the_log_has_every_line_of_every_rank_whole(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    program = "[print(f'{rank}:{number}:' + 'x' * 3000, flush=True) for number in range(200)]; print('end', end='')"
    assert pod.mpirun(1, program).wait(PATIENCE_SECONDS) == 0
    assert {line.hears("ended")["code"] for _ in range(2)} == {0}
    lines = pod.log.splitlines()
    for rank in range(2):
        start = "rank 1: " if rank else ""
        own = [each for each in lines if re.match(rf"{start}{rank}:\d+:", each)]
        assert own == [f"{start}{rank}:{number}:" + "x" * 3000 for number in range(200)]
        assert f"{start}end" in lines, "the last line had no end"


def test_the_launcher_hears_rank_0_and_what_others_say_in_their_own_name(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    program = "print('noise' if rank else 'step 1'); print(f'rank {rank}: warning: slow'); sys.exit(3 * rank)"
    assert pod.mpirun(1, program).wait(PATIENCE_SECONDS) == 3
    heard = []
    while len([each for each in heard if each["kind"] == "ended"]) < 2:
        message = line._heard.get(timeout=PATIENCE_SECONDS)
        heard.append(message)
    said = {each["text"] for each in heard if each["kind"] == "line"}
    assert said == {"step 1", "rank 0: warning: slow", "rank 1: warning: slow"}
    failed = next(each for each in heard if each["kind"] == "ended" and each["rank"] == 1)
    assert (failed["code"], failed["last"], failed["tail"]) == (3, "rank 1: warning: slow", ["noise"])


def test_what_was_said_while_the_line_was_down_is_said_again(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    line.close()
    assert pod.mpirun(1, "print('unheard')", ranks=1).wait(PATIENCE_SECONDS) == 0
    again = pod.line(after=1)
    assert again.hears("line")["text"] == "unheard"
    assert again.hears("ended")["code"] == 0


def test_sigterm_lets_the_ranks_checkpoint_and_leave(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    mpirun = pod.mpirun(1, STOPS)
    for _ in range(2):
        line.hears("started")
    wait_for(lambda: pod.log.count("ready") == 2)
    pod.process.send_signal(signal.SIGTERM)
    line.hears("leaving")
    assert {line.hears("ended")["code"] for _ in range(2)} == {143}
    assert mpirun.wait(PATIENCE_SECONDS) == 143
    assert pod.process.wait(PATIENCE_SECONDS) == 143


def test_ranks_that_do_not_leave_within_the_grace_are_killed(start_pod):
    pod = start_pod("cluster.grace_seconds=0.5")
    line = pod.line()
    begin(line, 1)
    pod.mpirun(1, "signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)", ranks=1)
    line.hears("line", text="ready")
    pod.process.send_signal(signal.SIGTERM)
    assert line.hears("ended")["code"] == 137
    assert pod.process.wait(PATIENCE_SECONDS) == 143


def test_a_new_attempt_ends_the_ranks_of_the_last_and_refuses_its_late_ones(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    pod.mpirun(1, STOPS)
    wait_for(lambda: pod.log.count("ready") == 2)
    begin(line, 2, grace_seconds=30.0)
    late = pod.mpirun(1, "print('late', flush=True)", ranks=1)
    assert late.wait(PATIENCE_SECONDS) == 144
    assert pod.mpirun(2, "print('new', flush=True)", ranks=1).wait(PATIENCE_SECONDS) == 0
    assert "new" in pod.log
    assert "late" not in pod.log


def test_a_rank_whose_mpi_daemon_is_gone_ends_by_itself(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    mpirun = pod.mpirun(
        1, "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)", 1
    )
    rank = int(line.hears("line")["text"])
    mpirun.kill()
    ended = line.hears("ended")
    assert ended["code"] == 137
    wait_for(lambda: not psutil.pid_exists(rank))


def test_a_killed_rank_is_told_with_its_signal(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    mpirun = pod.mpirun(1, "os.kill(os.getpid(), signal.SIGSEGV)", ranks=1)
    assert line.hears("ended")["code"] == 139
    assert mpirun.wait(PATIENCE_SECONDS) == 139


def test_a_stopped_rank_is_seen(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    pod.mpirun(1, "print(os.getpid(), flush=True); time.sleep(600)", ranks=1)
    rank = int(line.hears("line")["text"])
    os.kill(rank, signal.SIGSTOP)
    assert line.hears("beat", state="stopped")


def test_a_rank_left_without_a_launcher_is_ended(start_pod):
    pod = start_pod("restarts.stall_seconds=1")
    line = pod.line()
    begin(line, 1)
    mpirun = pod.mpirun(1, STOPS, ranks=1)
    line.hears("line", text="ready")
    line.close()
    assert mpirun.wait(PATIENCE_SECONDS) == 143
    assert "no launcher for 1 s" in pod.log


def test_the_end_of_the_job_leaves_the_pod_with_0(start_pod):
    pod = start_pod()
    pod.line().ask(do="over")
    assert pod.process.wait(PATIENCE_SECONDS) == 0
    assert pod.log.endswith("the job is over\n")


def test_metrics_of_the_ranks_are_served_and_begin_anew_with_each_training_attempt(start_pod, unused_port):
    import urllib.request

    port = unused_port()
    pod = start_pod(f"telemetry.port={port}")
    line = pod.line()

    def served() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read(), "utf-8")

    program = (
        "from trainer.telemetry import catalog; from trainer.telemetry.exporter import Recorder; "
        "Recorder(rank).add(catalog.FILMS, 16)"
    )
    begin(line, 1)
    assert pod.mpirun(1, program).wait(PATIENCE_SECONDS) == 0
    assert 'cxr_train_films_total{rank="1"} 16.0' in served()
    begin(line, 2, fresh=False)
    assert "cxr_train_films_total" in served(), "scoring keeps what training told"
    begin(line, 3)
    assert "cxr_train_films_total" not in served()


def test_no_zombie_stays(start_pod):
    pod = start_pod()
    line = pod.line()
    begin(line, 1)
    orphan = "import subprocess; subprocess.Popen(['sleep', '0.2'], start_new_session=True)"
    assert pod.mpirun(1, orphan, ranks=1).wait(PATIENCE_SECONDS) == 0
    line.hears("ended")

    def zombies() -> list[psutil.Process]:
        return [each for each in psutil.Process(pod.process.pid).children() if each.status() == "zombie"]

    time.sleep(0.5)
    wait_for(lambda: not zombies())


def wait_for(true: Callable[[], bool]) -> None:
    """For what tells nobody that it has happened."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
