"""Releases of the chart in a real cluster, each in a namespace of its own; waits are on what the API tells.

    KUBECONFIG=... CXR_TRAIN_E2E_IMAGE=registry/cxr-train:tag pytest tests/e2e

Needs helm and kubectl, and the right to make namespaces; some scenarios want the node to be this machine.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8s import progress
from k8s.client import KubernetesCluster
from tests.heard import Heard

PATIENCE_SECONDS = 420.0
"""Longest wait for anything that has to happen: bounds a failure, on however busy a machine."""

CHART = Path(__file__).parents[2] / "helm"
IMAGE = os.environ.get("CXR_TRAIN_E2E_IMAGE", "")

SMALL: dict[str, Any] = {
    "workers": {
        "count": 2,
        "gpusPerWorker": 0,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "3Gi"}},
    },
    "launcher": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}},
    "shm": {"sizeLimit": "128Mi"},
    "preflight": {"gpus": False},
    "training": {
        "phantom": {"films": 240, "image_size": 48},
        "prepare": {"image_size": 48},
        "model": {"name": "simple_cnn"},
        "train": {"global_batch_size": 8, "epochs": 2, "precision": "float32", "log_every_steps": 5},
        "evaluate": {"resamples": 20},
    },
}
"""Two workers and a run of seconds; scenarios lay their own over it."""

ENDLESS = {"training": {"train": {"epochs": 10_000}, "checkpoint": {"every_steps": 5}}}
"""A run that only its scenario ends."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in ("KUBECONFIG", "CXR_TRAIN_E2E_IMAGE") if not os.environ.get(name)]
    missing += [program for program in ("helm", "kubectl") if shutil.which(program) is None]
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"no cluster to try on: {', '.join(missing)} missing"))


def merged(below: dict[str, Any], *above: dict[str, Any]) -> dict[str, Any]:
    from k8s.values import merged as lay

    for each in above:
        below = lay(below, each)
    return below


def run(*command: str, check: bool = True, stdin: str | None = None) -> str:
    """A command's stdout; its stderr is in the failure."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Log(Heard):
    """A container's log, heard line by line as it comes."""

    def __init__(self, *kubectl: str) -> None:
        self._process = subprocess.Popen(
            ["kubectl", *kubectl], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout
        super().__init__(self._process.stdout, PATIENCE_SECONDS)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self.to_the_end()


class Release:
    """An installed release, its job and its pods."""

    def __init__(self, namespace: str, name: str = "chest") -> None:
        self.namespace, self.name = namespace, name
        self.cluster = KubernetesCluster(namespace)
        self._logs: list[Log] = []

    def helm(self, verb: str, values: dict[str, Any]) -> str:
        """install or upgrade with these values over the small ones; what helm says."""
        repository, _, tag = IMAGE.rpartition(":")
        own = {"image": {"repository": repository, "tag": tag}}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(merged(SMALL, own, values), file)
            file.flush()
            return run("helm", verb, "-n", self.namespace, self.name, str(CHART), "-f", file.name)

    def uninstall(self) -> None:
        run("helm", "uninstall", "-n", self.namespace, self.name, check=False)

    @property
    def job(self) -> dict[str, Any]:
        """The newest MPIJob of the release."""
        jobs = self.cluster.jobs_of_release(self.name)
        return max(jobs, key=lambda each: each["metadata"]["creationTimestamp"])

    @property
    def job_name(self) -> str:
        return str(self.job["metadata"]["name"])

    def annotations(self) -> dict[str, str]:
        return progress.read(self.job)

    def pods(self, role: str = "worker") -> list[dict[str, Any]]:
        return self.cluster.pods(self._selector(role))

    def worker(self, index: int) -> str:
        return f"{self.job_name}-worker-{index}"

    def until(self, true: Callable[[list[dict[str, Any]]], bool], role: str = "worker", job: str = "") -> None:
        """Waits until that holds of the job's pods of that role."""
        last: list[dict[str, Any]] = []
        deadline = threading.Timer(PATIENCE_SECONDS, lambda: None)
        deadline.start()
        try:
            while deadline.is_alive():
                for last in self.cluster.watch_pods(self._selector(role, job)):
                    if true(last):
                        return
                    if not deadline.is_alive():
                        break
        finally:
            deadline.cancel()
        raise AssertionError(json.dumps([each["status"] for each in last], indent=1))

    def launcher_log(self) -> Log:
        """Of the newest launcher pod, from its first line."""
        self.until(lambda pods: any(_has_started(each) for each in pods), "launcher")
        newest = max(self.pods("launcher"), key=lambda each: each["metadata"]["creationTimestamp"])
        return self.log_of(newest["metadata"]["name"])

    def log_of(self, pod: str) -> Log:
        self._logs.append(Log("logs", "-n", self.namespace, "-f", pod))
        return self._logs[-1]

    def ended(self) -> str:
        """Waits for the launcher's Job: Complete or Failed."""
        job = f"{self.job_name}-launcher"

        def over(pods: list[dict[str, Any]]) -> bool:
            return bool(pods) and all(each["status"]["phase"] in ("Succeeded", "Failed") for each in pods)

        self.until(over, "launcher")
        kinds = ("Complete", "Failed")
        waits = [
            subprocess.Popen(
                ["kubectl", "wait", "-n", self.namespace, f"job/{job}", f"--for=condition={kind}", "--timeout=60s"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for kind in kinds
        ]
        try:
            while True:
                for kind, wait in zip(kinds, waits, strict=True):
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        if wait.wait(0.2) == 0:
                            return kind
                if all(wait.poll() is not None for wait in waits):
                    return "neither"
        finally:
            for wait in waits:
                wait.kill()
                wait.wait()

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return run("kubectl", "-n", self.namespace, *arguments, check=check)

    def cxr_train(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The program outside the cluster."""
        command = [sys.executable, "-m", "trainer.cli", *arguments, "-n", self.namespace]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})

    def status(self) -> str:
        done = self.cxr_train("status", "--release", self.name)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self) -> None:
        """Gone with its pods: the machine may be small."""
        self.uninstall()
        self.kubectl("delete", "pods", "--all", "--grace-period=1", check=False)
        for each in self._logs:
            each.close()

    def _selector(self, role: str, job: str = "") -> str:
        name = job or self.job_name
        return f"training.kubeflow.org/job-name={name},training.kubeflow.org/job-role={role}"


def _has_started(pod: dict[str, Any]) -> bool:
    states = [each.get("state", {}) for each in pod["status"].get("containerStatuses", [])]
    return any("running" in each or "terminated" in each for each in states)


@pytest.fixture(scope="session")
def make_namespace() -> Iterator[Callable[..., str]]:
    made: list[str] = []

    def make(**labels: str) -> str:
        name = f"cxr-e2e-{uuid.uuid4().hex[:8]}"
        run("kubectl", "create", "namespace", name)
        made.append(name)
        if labels:
            run("kubectl", "label", "namespace", name, *(f"{key}={value}" for key, value in labels.items()))
        return name

    yield make
    for name in made:
        run("kubectl", "delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def release(make_namespace: Callable[..., str]) -> Iterator[Release]:
    """A release in a namespace of its own, gone when the test is over."""
    found = Release(make_namespace())
    yield found
    found.end()
