"""The CPU preset trains to success, under pod security "restricted", and everybody can see it."""

import re
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.e2e.conftest import CHART, Log, Release, merged, run

PRESET = yaml.safe_load((CHART / "presets" / "cpu.yaml").read_text())


class Trained:
    """A release that has trained, with its launcher's log."""

    def __init__(self, release: Release, log: Log, end: str) -> None:
        self.release, self.log, self.end = release, log.to_the_end(), end


@pytest.fixture(scope="module")
def trained(make_namespace: Callable[..., str]) -> Iterator[Trained]:
    namespace = make_namespace(**{"pod-security.kubernetes.io/enforce": "restricted"})
    release = Release(namespace)
    # The preset with fewer films: what is tried is the way, not the score.
    quick = {"training": {"phantom": {"films": 400}, "train": {"epochs": 2, "log_every_steps": 2}}}
    release.helm("install", merged(PRESET, quick))
    log = release.launcher_log()
    yield Trained(release, log, release.ended())
    release.end()


def test_the_job_succeeds(trained: Trained) -> None:
    assert trained.end == "Complete", trained.log


def test_the_launchers_log_reads_like_one_jobs(trained: Trained) -> None:
    lines = trained.log.splitlines()
    order = (
        r"2 workers are there$",
        r"training: resnet18",
        r"first step done",
        r"epoch 2/2  step",
        r"trained \d+ steps",
        r"mean over 14 findings",
        r"done, after 0 restarts$",
    )
    found = [next((at for at, line in enumerate(lines) if re.search(words, line)), -1) for words in order]
    assert -1 not in found, (order, found, trained.log)
    assert found == sorted(found)
    assert "mpirun" not in trained.log
    assert "Traceback" not in trained.log


def test_two_workers_really_average(trained: Trained) -> None:
    assert "self-test: 2 ranks average" in trained.log
    assert "weights are equal on all ranks, bit by bit: " in trained.log


def test_the_workers_logs_are_still_there(trained: Trained) -> None:
    phases = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in trained.release.pods()}
    assert phases == {trained.release.worker(0): "Succeeded", trained.release.worker(1): "Succeeded"}
    first = trained.release.kubectl("logs", trained.release.worker(0), "-c", "worker")
    assert "epoch 2/2" in first
    assert first.endswith("the job is over\n")


def test_the_mpijob_carries_the_progress(trained: Trained) -> None:
    told = trained.release.annotations()
    assert (told["phase"], told["percent"], told["restarts"], told["epoch"]) == ("Succeeded", "100.0", "0", "2")
    assert float(told["loss"]) > 0


def test_status_tells_the_end(trained: Trained) -> None:
    said = trained.release.status()
    assert "Succeeded" in said
    assert "(100.0%)" in said
    assert trained.release.worker(1) in said
    assert "failure" not in said


def test_helm_test_passes(trained: Trained) -> None:
    assert "Succeeded" in run("helm", "test", "-n", trained.release.namespace, trained.release.name)
