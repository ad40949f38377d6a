"""Before the launcher: waits until the Job that prepares the films is done. Exits 1, with the reason, if it failed."""

import itertools
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from cluster_api import Refused, condition, end_retries, read_job

POLL_SECONDS = 5
_POLLS_A_LINE = 12

ReadJob = Callable[[str, str], dict[str, Any] | None]


class Failed(Exception):
    """Why the films will never be prepared, in one line."""


def wait(name: str, namespace: str, read: ReadJob, sleep: Callable[[float], None]) -> None:
    """Returns once the Job is complete; a Job that is not there yet is waited for. Raises Failed."""
    for poll in itertools.count():
        state = _state(name, namespace, read)
        if state is None:
            return
        if poll % _POLLS_A_LINE == 0:
            say(f"Job {name}, which prepares the films, {state}")
        sleep(POLL_SECONDS)


def _state(name: str, namespace: str, read: ReadJob) -> str | None:
    """None: complete; else what to tell who waits."""
    try:
        job = read(name, namespace)
    except OSError as error:
        return f"cannot be seen ({error})"
    if job is None:
        return "is not there yet"
    failed = condition(job, "Failed")
    if failed is not None:
        logs = f"kubectl -n {namespace} logs --prefix -l batch.kubernetes.io/job-name={name}"
        raise Failed(f"Job {name} failed: {failed}; read {logs}")
    return None if condition(job, "Complete") is not None else _at_work(job)


def _at_work(job: dict[str, Any]) -> str:
    status, pods = job.get("status", {}), job.get("spec", {}).get("completions", 1)
    lost = f", {status['failed']} were lost on the way" if status.get("failed") else ""
    return f"is at work: {status.get('succeeded', 0)} of {pods} pods are done{lost}"


def say(line: str) -> None:
    """To the pod's log, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """What the pod exits with. Films that will never be there are no reason to start the launcher again."""
    job, films, namespace = (os.environ[f"CXR_TRAIN_{name}"] for name in ("JOB", "PREPARE_JOB", "NAMESPACE"))
    try:
        wait(films, namespace, read_job, time.sleep)
    except Failed as error:
        say(str(error))
        try:
            end_retries(f"{job}-launcher", namespace)
        except (Refused, OSError) as refusal:
            say(f"the launcher will try again in vain ({refusal})")
        return 1
    except Refused as error:
        say(str(error))
        return 1
    say("the films are prepared")
    return 0


if __name__ == "__main__":
    sys.exit(main())
