"""Pods as the API gives them, and a place to stand."""

from collections.abc import Callable
from typing import Any

import pytest

from k8s.place import Place

Object = dict[str, Any]


@pytest.fixture
def place() -> Place:
    return Place(job="chest-1a2b3c4d", release="chest", namespace="films", pod="p", workers=2, ranks_per_worker=1)


@pytest.fixture
def make_pod() -> Callable[..., Object]:
    """A worker's pod as the API shows a running one; ``status`` and ``metadata`` are laid over it."""

    def make(index: int = 0, *, status: Object | None = None, metadata: Object | None = None) -> Object:
        name = f"chest-1a2b3c4d-worker-{index}"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "films",
                "uid": f"uid-{index}",
                "resourceVersion": "4711",
                "creationTimestamp": "2026-01-02T03:04:05Z",
                "labels": {
                    "app.kubernetes.io/instance": "chest",
                    "training.kubeflow.org/job-name": "chest-1a2b3c4d",
                    "training.kubeflow.org/job-role": "worker",
                    "training.kubeflow.org/replica-index": str(index),
                },
                **(metadata or {}),
            },
            "spec": {
                "nodeName": "node-1",
                "initContainers": [{"name": "films", "resources": {"limits": {"memory": "1Gi"}}}],
                "containers": [{"name": "worker", "resources": {"limits": {"memory": "2Gi"}}}],
            },
            "status": {
                "phase": "Running",
                "podIP": f"10.98.0.{10 + index}",
                "conditions": [
                    {"type": "PodScheduled", "status": "True"},
                    {"type": "Ready", "status": "True"},
                ],
                "initContainerStatuses": [
                    {"name": "films", "image": "cxr-train:1", "state": {"terminated": {"exitCode": 0}}}
                ],
                "containerStatuses": [{"name": "worker", "image": "cxr-train:1", "state": {"running": {}}}],
                **(status or {}),
            },
        }

    return make
