"""Names: at any length of the release's, they fit, differ, and are not the operator's."""

import re
from typing import Any

import pytest

HOST_NAME = re.compile(r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")

# Names that only long hyphens, dots and digits tell apart, and some that end like the chart's own suffixes.
AWKWARD = [
    "a",
    "a-launcher",
    "a-worker",
    "a-prepare",
    "a-test",
    "a-scripts",
    "a-checkpoints",
    "a-ranks",
    "1a",
    "a.b",
    "a-b",
]
LENGTHS = range(1, 54)


def releases() -> list[str]:
    return [*AWKWARD, *("x" * length for length in LENGTHS if length > 1), *(("x" * 51) + end for end in ("y", "-y"))]


@pytest.fixture(scope="module")
def all_releases(render: Any) -> dict[str, Any]:
    values = {
        "workers": {"count": 1000},
        "checkpoint": {"persistence": {"enabled": True}},
        "networkPolicy": {"enabled": True},
        "podDisruptionBudget": {"enabled": True},
        "podMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "grafanaDashboard": {"enabled": True},
        "prepare": {"enabled": True},
        "data": {"existingClaim": "films"},
        "training": {"prepare": {"destination": "/data/set"}, "data": {"training": "/data/set/training"}},
    }
    return {name: render(values, name=name) for name in releases()}


def test_every_host_name_fits(all_releases: dict[str, Any]) -> None:
    for name, release in all_releases.items():
        for host in (f"{release.job_name}-worker-999", f"{release.job_name}-launcher", release.job_name):
            assert HOST_NAME.match(host), f"{name}: {host}"
        assert HOST_NAME.match(f"{release.one('Job')['metadata']['name']}-0")


def test_every_name_and_label_is_one_that_kubernetes_takes(all_releases: dict[str, Any]) -> None:
    for release in all_releases.values():
        for each in release.objects:
            assert re.match(r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$", each["metadata"]["name"])
            assert all(len(value) <= 63 for value in each["metadata"]["labels"].values())


def test_no_two_releases_share_an_object(all_releases: dict[str, Any]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name, release in all_releases.items():
        for kind, own in [*named(release), *operators(release)]:
            assert seen.setdefault((kind, own), name) == name, f"{kind} {own}"


def test_the_operators_names_are_left_to_it(all_releases: dict[str, Any]) -> None:
    for release in all_releases.values():
        assert not set(named(release)) & set(operators(release))


def test_a_short_release_gives_its_own_name(render: Any) -> None:
    assert re.match(r"^chest-[0-9a-f]{8}$", render(name="chest").job_name)


def test_a_name_can_be_given(render: Any) -> None:
    release = render({"fullnameOverride": "chest"})
    assert release.job_name.startswith("chest-")
    assert release.training["checkpoint"]["directory"] == "/checkpoints/chest"


@pytest.mark.parametrize(
    "values",
    [
        {"training": {"train": {"epochs": 3}}},
        {"workers": {"count": 1}},
        {"extraEnv": [{"name": "A", "value": "b"}]},
        {"image": {"tag": "0.2.0"}},
        {"nodeSelector": {"pool": "gpu"}},
        {"activeDeadlineSeconds": 60},
    ],
)
def test_what_reaches_the_pods_makes_another_job(render: Any, values: dict[str, Any]) -> None:
    assert render(values).job_name != render().job_name


@pytest.mark.parametrize(
    "values",
    [
        {"suspend": True},
        {"ttlSecondsAfterFinished": 60},
        {"podMonitor": {"enabled": True}},
        {"networkPolicy": {"enabled": True}},
        {"kueue": {"queueName": "training"}},
        {"preflight": {"gpus": False}},
    ],
)
def test_what_acts_on_a_living_job_leaves_its_name(render: Any, values: dict[str, Any]) -> None:
    assert render(values).job_name == render().job_name


def test_what_outlives_a_job_has_the_releases_name(render: Any) -> None:
    values = {"checkpoint": {"persistence": {"enabled": True}}}
    first, second = render(values), render({**values, "workers": {"count": 1}})
    assert first.job_name != second.job_name
    assert first.one("PersistentVolumeClaim") == second.one("PersistentVolumeClaim")
    assert first.training["checkpoint"] == second.training["checkpoint"] == {"directory": "/checkpoints/cxr-train"}


def test_films_are_not_prepared_again_for_another_setting_of_the_training(render: Any) -> None:
    values = {
        "prepare": {"enabled": True},
        "data": {"existingClaim": "films"},
        "training": {"prepare": {"destination": "/data/set"}, "data": {"training": "/data/set/training"}},
    }
    more = {**values, "training": {**values["training"], "train": {"epochs": 3}}, "workers": {"count": 5}}
    assert render(values).one("Job") == render(more).one("Job")
    smaller = {**values["training"]["prepare"], "image_size": 64}
    others = {**values, "training": {**values["training"], "prepare": smaller}}
    assert render(values).one("Job")["metadata"]["name"] != render(others).one("Job")["metadata"]["name"]


def named(release: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["metadata"]["name"]) for each in release.objects]


def operators(release: Any) -> list[tuple[str, str]]:
    """What the MPI operator makes of an MPIJob."""
    job = release.job_name
    workers = range(release.job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"])
    return [
        ("Service", job),
        ("ConfigMap", f"{job}-config"),
        ("Secret", f"{job}-ssh"),
        ("Job", f"{job}-launcher"),
        *(("Pod", f"{job}-worker-{index}") for index in workers),
    ]
