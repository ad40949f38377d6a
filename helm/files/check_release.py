"""`helm test`: the job has not failed, and while it runs, every worker's sshd answers by its name."""

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from cluster_api import Refused, condition, read_job

SSH_PORT = 2222
PATIENCE_SECONDS = 240
_POLL_SECONDS = 3
_CONNECT_SECONDS = 5

ReadJob = Callable[[str, str], dict[str, Any] | None]
Greet = Callable[[str], str | None]
"""Why a host's sshd does not answer; None if it does."""


class Wrong(Exception):
    """What will not get better by waiting, in one line."""


class NotYet(Exception):
    """What may get better by waiting, in one line."""


def look(job: str, namespace: str, workers: int, read: ReadJob, greet: Greet) -> str:
    """What is well, in one line. Raises NotYet, Wrong."""
    launcher = read(f"{job}-launcher", namespace)
    if launcher is None:
        raise NotYet(f"there is no Job {job}-launcher: is the MPI operator running, and does it see this namespace?")
    failed = condition(launcher, "Failed")
    if failed is not None:
        raise Wrong(f"job {job} failed: {failed}; read the launcher's log")
    if condition(launcher, "Complete") is not None:
        return f"job {job} is done"
    if condition(launcher, "Suspended") is not None:
        return f"job {job} is suspended: it waits for its queue, or for --set suspend=false"
    for worker in (f"{job}-worker-{index}" for index in range(workers)):
        reason = greet(f"{worker}.{job}.{namespace}.svc")
        if reason is not None:
            raise NotYet(f"no sshd on {worker} ({reason}); see kubectl -n {namespace} describe pod {worker}")
    lost = launcher.get("status", {}).get("failed", 0)
    after = f", after {lost} launchers that failed: read their logs" if lost else ""
    return f"job {job} runs, and sshd answers on its {workers} workers{after}"


def patiently(see: Callable[[], str], clock: Callable[[], float], sleep: Callable[[float], None]) -> str:
    """What ``see`` says, asked again for PATIENCE_SECONDS where it is not yet well. Raises NotYet, Wrong."""
    end = clock() + PATIENCE_SECONDS
    while True:
        try:
            return see()
        except NotYet:
            if clock() > end:
                raise
        sleep(_POLL_SECONDS)


def greet(host: str) -> str | None:
    """Connects to the host's sshd, and reads how it introduces itself."""
    try:
        with socket.create_connection((host, SSH_PORT), timeout=_CONNECT_SECONDS) as connection:
            banner = connection.recv(64)
    except OSError as error:
        return str(error)
    return None if banner.startswith(b"SSH-2.0") else f"port {SSH_PORT} says {banner!r}"


def main() -> int:
    """What the pod exits with."""
    job, namespace, workers = (os.environ[f"CXR_TRAIN_{name}"] for name in ("JOB", "NAMESPACE", "WORKERS"))
    try:
        line = patiently(lambda: look(job, namespace, int(workers), read_job, greet), time.monotonic, time.sleep)
    except (NotYet, Wrong, Refused, OSError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
