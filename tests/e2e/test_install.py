"""What the API server says of the chart, before and at the install."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import CHART, Release, run

PRESETS = sorted(each.stem for each in (CHART / "presets").glob("*.yaml"))


@pytest.fixture
def two_gpus() -> Iterator[bool]:
    """Whether they are real: nodes that have none are made to claim two, as a number that nothing is behind."""
    nodes = json.loads(run("kubectl", "get", "nodes", "-o", "json"))["items"]
    if any("nvidia.com/gpu" in each["status"]["allocatable"] for each in nodes):
        yield True
        return
    name = nodes[0]["metadata"]["name"]
    add = [
        {"op": "add", "path": f"/status/{kind}/nvidia.com~1gpu", "value": "2"} for kind in ("capacity", "allocatable")
    ]
    remove = [{"op": "remove", "path": each["path"]} for each in add]
    run("kubectl", "patch", "node", name, "--subresource=status", "--type=json", "-p", json.dumps(add))
    yield False
    run("kubectl", "patch", "node", name, "--subresource=status", "--type=json", "-p", json.dumps(remove), check=False)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_passes_the_api_servers_strict_validation(make_namespace, preset: str) -> None:
    namespace = make_namespace()
    rendered = run(
        "helm", "template", "-n", namespace, "chest", str(CHART), "-f", str(CHART / "presets" / f"{preset}.yaml"),
        "--api-versions", "kubeflow.org/v2beta1/MPIJob", "--set", "preflight.gpus=false", "--no-hooks",
    )  # fmt: skip
    run("kubectl", "apply", "-n", namespace, "--dry-run=server", "--validate=strict", "-f", "-", stdin=rendered)


def test_the_default_install_is_scheduled_where_there_are_gpus(release: Release, two_gpus: bool) -> None:
    gpus = {"workers": {"gpusPerWorker": 1}, "preflight": {"gpus": True}}
    release.helm("install", gpus)
    release.until(lambda pods: len(pods) == 2 and all(each["spec"].get("nodeName") for each in pods))
    for pod in release.pods():
        assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    if two_gpus:
        return
    # GPUs in name only, and an image for CPUs: the job does not crawl, it says what is wrong.
    assert release.ended() == "Failed"
    assert "train.device: 'gpu' but this TensorFlow is built for CPUs" in release.annotations()["reason"]
    assert release.annotations()["restarts"] == "0"


def test_the_doctor_finds_nothing_against_the_cpu_preset(release: Release) -> None:
    done = release.cxr_train("doctor", "--chart", str(CHART), "-f", str(CHART / "presets" / "cpu.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is in the way" in done.stdout
    assert "MPIJob: kubeflow.org/v2beta1" in done.stdout


def test_the_doctor_says_what_is_in_the_way(release: Release) -> None:
    release.kubectl("create", "quota", "tight", "--hard=pods=1")
    more = ("workers.gpusPerWorker=64", "existingSecret=no-such", "workers.count=3")
    sets = [part for each in more for part in ("--set", each)]
    done = release.cxr_train("doctor", "--chart", str(CHART), *sets)
    assert done.returncode == 4
    for words in (
        "nvidia.com/gpu",
        "tight leaves 1 of pods, the job needs 4",
        "existingSecret names the Secret no-such, which is not there",
        "not divisible by 192 ranks",
    ):
        assert words in done.stdout, done.stdout


def test_a_wrong_release_is_one_line(release: Release) -> None:
    done = release.cxr_train("status", "--release", "nobody")
    assert done.returncode == 4
    assert done.stderr.startswith("release: 'nobody' has no job in namespace ")
    assert done.stderr.count("\n") == 1
