"""What is lost, killed, evicted or hangs is named, and the job goes on without a person."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import ENDLESS, Log, Release, merged

RESUMED = r"resumed from step (\d+)"


@pytest.fixture
def running(release: Release) -> tuple[Release, Log]:
    """A job whose first checkpoint is committed."""
    release.helm("install", merged(ENDLESS, {"training": {"restarts": {"stall_seconds": 30}}}))
    log = release.launcher_log()
    log.hears(r"step 15/")
    return release, log


def goes_on(log: Log, reason: str) -> int:
    """The reason is told, and training has gone on from a checkpoint; the step it went on from."""
    log.hears(reason)
    step = int(re.search(RESUMED, log.hears(RESUMED)).group(1))
    at = next(number for number, line in enumerate(log.lines) if re.search(RESUMED, line))
    log.hears(r"epoch \d+/10000  step", after=at)
    return step


def test_a_worker_killed_by_force_is_replaced(running) -> None:
    release, log = running
    release.kubectl("delete", "pod", release.worker(1), "--force", "--grace-period=0")
    assert goes_on(log, f"{release.worker(1)} was lost: .*; restart 1") > 0
    assert release.annotations()["restarts"] == "1"
    assert "restarts  1" in release.status()


def test_a_killed_rank_is_named_and_restarted_in_its_pod(running) -> None:
    release, log = running
    before = {pod["metadata"]["uid"] for pod in release.pods()}
    _signal_rank(release, 1, "KILL")
    assert goes_on(log, f"rank 1 on {release.worker(1)} was ended by SIGKILL .* restart 1 ") > 0
    assert {pod["metadata"]["uid"] for pod in release.pods()} == before


def test_an_evicted_worker_checkpoints_first(running) -> None:
    release, log = running
    release.kubectl("delete", "pod", release.worker(1), "--wait=false")
    last = int(re.search(r"signal: 'step (\d+)' was the last one", log.hears("was the last one")).group(1))
    assert goes_on(log, r"restart 1 \(0 of 3 failures\)") == last, "not a step is lost"


def test_a_hung_rank_is_named(running) -> None:
    release, log = running
    _signal_rank(release, 1, "STOP")
    assert goes_on(log, f"rank 1 on {release.worker(1)} is stopped .*no step for .*restart 1 ") > 0


def test_a_node_that_drops_packets_is_noticed(running) -> None:
    release, log = running
    address = next(pod["status"]["podIP"] for pod in release.pods() if pod["metadata"]["name"] == release.worker(1))
    with _packets_dropped(address):
        assert goes_on(log, f"{release.worker(1)} was lost: it has gone silent") > 0


def test_a_launcher_that_dies_is_started_again_and_carries_on(running) -> None:
    release, _ = running
    (first,) = release.pods("launcher")
    release.kubectl("delete", "pod", first["metadata"]["name"], "--force", "--grace-period=0")
    release.until(lambda pods: any(each["metadata"]["uid"] != first["metadata"]["uid"] for each in pods), "launcher")
    log = release.launcher_log()
    assert goes_on(log, "a new launcher goes on after attempt 1") > 0
    assert release.annotations()["restarts"] == "1"


def _signal_rank(release: Release, index: int, name: str) -> None:
    """To the trainer of that worker, found by its command line."""
    find = (
        "import os, pathlib, signal\n"
        "for each in pathlib.Path('/proc').glob('[0-9]*'):\n"
        "    if (each / 'cmdline').read_bytes().split(b'\\0')[1:4] == [b'-m', b'trainer.cli', b'train']:\n"
        f"        os.kill(int(each.name), signal.SIG{name})\n"
    )
    python = "/opt/cxr-train/venv/bin/python"
    release.kubectl("exec", release.worker(index), "-c", "worker", "--", python, "-c", find)


@contextmanager
def _packets_dropped(address: str) -> Iterator[None]:
    """From and to a pod, without a reset; only where the pods' node is this machine."""
    rules = [["FORWARD", "-s", address, "-j", "DROP"], ["FORWARD", "-d", address, "-j", "DROP"]]
    if os.geteuid() or not shutil.which("iptables"):
        pytest.skip("needs root and iptables on the pods' node")
    route = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=False).stdout
    if " via " in route or "dev" not in route:
        pytest.skip("the pods' node is another machine")
    for rule in rules:
        subprocess.run(["iptables", "-I", *rule], check=True)
    try:
        yield
    finally:
        for rule in rules:
            subprocess.run(["iptables", "-D", *rule], check=True)
