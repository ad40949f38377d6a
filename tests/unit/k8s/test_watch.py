"""What hinders a pod is said in words, from what the API says of it."""

import math
from datetime import UTC, datetime

import pytest

from k8s import watch

SCHEDULED = {"type": "PodScheduled", "status": "True"}


def waiting(reason: str, message: str = "", image: str = "registry/cxr:9") -> dict:
    return {
        "phase": "Pending",
        "conditions": [SCHEDULED],
        "initContainerStatuses": [],
        "containerStatuses": [
            {"name": "worker", "image": image, "state": {"waiting": {"reason": reason, "message": message}}}
        ],
    }


def terminated(**ended: object) -> dict:
    return {
        "phase": "Failed",
        "containerStatuses": [{"name": "worker", "image": "i", "state": {"terminated": ended}}],
    }


def test_a_running_pod_has_no_hindrance(make_pod):
    assert watch.hindrance(make_pod()) is None
    assert watch.end_of(make_pod()) is None


def test_a_pod_that_does_not_fit_says_what_the_scheduler_says(make_pod):
    message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    found = watch.hindrance(make_pod(status={"phase": "Pending", "conditions": [condition]}))
    assert str(found) == f"Unschedulable: {message}"
    assert found.patience_seconds == math.inf, "an autoscaler may bring a node"


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"])
def test_an_image_that_cannot_be_pulled_is_named(make_pod, reason):
    found = watch.hindrance(make_pod(status=waiting(reason, "not found")))
    assert str(found) == f"{reason}: image registry/cxr:9, not found"


def test_a_name_that_is_no_image_is_for_good_and_a_registry_gets_a_while(make_pod):
    assert watch.hindrance(make_pod(status=waiting("InvalidImageName"))).patience_seconds == 0
    assert 0 < watch.hindrance(make_pod(status=waiting("ImagePullBackOff"))).patience_seconds < math.inf


def test_a_missing_secret_is_named(make_pod):
    found = watch.hindrance(make_pod(status=waiting("CreateContainerConfigError", 'secret "s3" not found')))
    assert str(found) == 'CreateContainerConfigError: secret "s3" not found'
    assert found.patience_seconds < math.inf


def test_a_volume_that_cannot_be_mounted_is_told_by_its_event(make_pod):
    creating = {"phase": "Pending", "conditions": [SCHEDULED], "initContainerStatuses": [], "containerStatuses": []}
    event = {"reason": "FailedMount", "message": 'MountVolume.SetUp failed for volume "x":\n configmap "y" not found'}
    found = watch.hindrance(make_pod(status=creating), [{"reason": "Old", "message": "older"}, event])
    assert str(found) == 'FailedMount: MountVolume.SetUp failed for volume "x": configmap "y" not found'


def test_a_pod_that_was_never_made_is_told_by_the_jobs_event():
    event = {"reason": "MPIJobFailed", "message": "worker pod created failed: exceeded quota: gpus"}
    assert str(watch.hindrance(None, [event])) == (
        "there is no pod: MPIJobFailed: worker pod created failed: exceeded quota: gpus"
    )
    assert str(watch.hindrance(None)) == "there is no pod yet"


def test_a_pod_killed_for_want_of_memory_names_its_limit(make_pod):
    found = watch.end_of(make_pod(status=terminated(reason="OOMKilled", exitCode=137)))
    assert "container worker was killed for want of memory (OOMKilled at 2Gi)" in str(found)


def test_an_init_container_that_fails_is_quoted_and_for_good_if_its_code_is_permanent(make_pod):
    ended = {"reason": "Error", "exitCode": 3, "message": "drawing\nprepare.source: '/x' is missing; mount it\n"}
    status = {
        "phase": "Failed",
        "initContainerStatuses": [{"name": "films", "image": "i", "state": {"terminated": ended}}],
        "containerStatuses": [],
    }
    found = watch.end_of(make_pod(status=status))
    assert str(found) == "init container films ended with exit code 3: prepare.source: '/x' is missing; mount it"
    assert found.patience_seconds == 0
    ended["exitCode"] = 143
    assert watch.end_of(make_pod(status=status)).patience_seconds == math.inf


def test_an_evicted_pod_says_why(make_pod):
    pod = make_pod(status={"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."})
    assert str(watch.end_of(pod)) == "Evicted: The node was low on resource: memory."
    assert watch.is_disrupted(pod)


def test_a_pod_marked_by_the_control_plane_is_disrupted(make_pod):
    marked = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}
    assert watch.is_disrupted(make_pod(status=marked))
    assert watch.is_disrupted(make_pod(metadata={"deletionTimestamp": "2026-01-02T03:04:05Z"}))
    assert not watch.is_disrupted(make_pod())


def test_a_node_that_does_not_answer_is_named(make_pod):
    lost = {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}
    assert watch.unreachable(make_pod(status=lost)) == "its node node-1 does not answer (NodeNotReady)"
    assert watch.unreachable(make_pod()) is None
    unready = {"conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]}
    assert watch.unreachable(make_pod(status=unready)) is None


def test_a_deleted_pod_is_overdue_once_its_grace_has_ended(make_pod):
    pod = make_pod(metadata={"deletionTimestamp": "2026-01-02T03:04:05Z"})
    assert watch.overdue_seconds(pod, datetime(2026, 1, 2, 3, 4, 25, tzinfo=UTC)) == 20
    assert watch.overdue_seconds(make_pod(), datetime.now(UTC)) == -math.inf
