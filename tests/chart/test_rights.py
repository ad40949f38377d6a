"""Rights: the launcher's are these and no others, and nobody else has any."""

from typing import Any

import pytest

VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]


def least(job: str, workers: int) -> list[dict[str, Any]]:
    return [
        {"apiGroups": ["kubeflow.org"], "resources": ["mpijobs"], "resourceNames": [job], "verbs": ["get", "patch"]},
        {"apiGroups": ["kubeflow.org"], "resources": ["mpijobs"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
        {
            "apiGroups": [""],
            "resources": ["pods"],
            "resourceNames": [f"{job}-worker-{index}" for index in range(workers)],
            "verbs": ["delete"],
        },
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "resourceNames": [f"{job}-launcher"],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
    ]


@pytest.mark.parametrize("variant", [each for each in VARIANTS if each != "everything"])
def test_the_launcher_has_the_least_it_needs(rendered: Any, variant: str) -> None:
    release = rendered[variant]
    workers = release.job["spec"]["mpiReplicaSpecs"]["Worker"]["replicas"]
    assert release.one("Role") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {
            "name": "cxr-train-launcher",
            "namespace": "films",
            "labels": release.one("RoleBinding")["metadata"]["labels"],
        },
        "rules": least(release.job_name, workers),
    }


def test_to_wait_for_films_it_reads_one_job_more(rendered: Any) -> None:
    release = rendered["everything"]
    wait = {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "resourceNames": [release.one("Job")["metadata"]["name"]],
        "verbs": ["get"],
    }
    expected = least(release.job_name, 3)
    assert release.one("Role")["rules"] == [*expected[:-1], wait, expected[-1]]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_role_is_the_launchers_alone(rendered: Any, variant: str) -> None:
    binding = rendered[variant].one("RoleBinding")
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "Role",
        "name": rendered[variant].one("Role")["metadata"]["name"],
    }
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "cxr-train-launcher", "namespace": "films"}]


@pytest.mark.parametrize("variant", VARIANTS)
def test_there_are_no_rights_over_the_cluster(rendered: Any, variant: str) -> None:
    assert not {each["kind"] for each in rendered[variant].objects} & {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_ranks_hold_no_token(rendered: Any, variant: str) -> None:
    release = rendered[variant]
    assert release.one("ServiceAccount", "-worker")["automountServiceAccountToken"] is False
    for component in {"worker", "prepare"} & set(release.pods):
        assert release.pods[component]["spec"]["automountServiceAccountToken"] is False
        assert release.pods[component]["spec"]["serviceAccountName"] == "cxr-train-worker"
    for component in ("launcher", "test"):
        assert release.pods[component]["spec"]["serviceAccountName"] == "cxr-train-launcher"


def test_accounts_that_exist_are_taken_as_they_are(render: Any) -> None:
    release = render({"serviceAccount": {"workerName": "ranks", "launcherName": "boss"}})
    assert not {each["kind"] for each in release.objects} & {"ServiceAccount", "Role", "RoleBinding"}
    assert release.pods["worker"]["spec"]["serviceAccountName"] == "ranks"
    assert release.pods["launcher"]["spec"]["serviceAccountName"] == "boss"
