"""Every pod passes the pod security standard "restricted", rule by rule, and may write nowhere but to its volumes.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from typing import Any

import pytest

Tree = dict[str, Any]

VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


@pytest.fixture(params=VARIANTS)
def pods(request: pytest.FixtureRequest, rendered: dict[str, Any]) -> list[Tree]:
    return [pod["spec"] for pod in rendered[request.param].pods.values()]


def containers(pods: list[Tree]) -> list[Tree]:
    return [each for pod in pods for each in [*pod["containers"], *pod.get("initContainers", [])]]


def test_there_is_no_host_namespace_or_port(pods: list[Tree]) -> None:
    for pod in pods:
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
    assert all("hostPort" not in port for each in containers(pods) for port in each.get("ports", []))


def test_no_container_is_privileged_or_gains_privileges(pods: list[Tree]) -> None:
    for each in containers(pods):
        assert not each["securityContext"].get("privileged", False)
        assert each["securityContext"]["allowPrivilegeEscalation"] is False


def test_all_capabilities_are_dropped_and_none_is_added(pods: list[Tree]) -> None:
    for each in containers(pods):
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_volumes_are_of_the_permitted_kinds(pods: list[Tree]) -> None:
    for pod in pods:
        for volume in pod["volumes"]:
            assert set(volume) - {"name"} <= VOLUMES


def test_nobody_is_root(pods: list[Tree]) -> None:
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] != 0
    for each in containers(pods):
        assert each["securityContext"].get("runAsNonRoot", True)
        assert each["securityContext"].get("runAsUser", 1000) != 0


def test_seccomp_is_the_runtimes(pods: list[Tree]) -> None:
    for pod in pods:
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all("seccompProfile" not in each["securityContext"] for each in containers(pods))


def test_sysctls_procmounts_selinux_and_apparmor_are_left_alone(pods: list[Tree]) -> None:
    for pod in pods:
        assert not {"sysctls", "seLinuxOptions", "appArmorProfile", "windowsOptions"} & set(pod["securityContext"])
    for each in containers(pods):
        assert not {"procMount", "seLinuxOptions", "appArmorProfile"} & set(each["securityContext"])


def test_the_root_is_read_only(pods: list[Tree]) -> None:
    assert all(each["securityContext"]["readOnlyRootFilesystem"] is True for each in containers(pods))


def test_every_container_says_what_it_needs(pods: list[Tree]) -> None:
    for each in containers(pods):
        assert {"cpu", "memory"} <= set(each["resources"]["requests"])
        assert "memory" in each["resources"]["limits"]


def test_an_arbitrary_user_can_be_let_in(render: Any) -> None:
    nobody = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    for pod in render({"podSecurityContext": nobody}).pods.values():
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod["spec"]["securityContext"])
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
