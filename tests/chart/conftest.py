"""The chart rendered in process by Helm's own library: no helm, no cluster."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import helm_python
import pytest
import yaml
from helm_python import _native

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm"

Tree = dict[str, Any]

EVERYTHING: Tree = {
    "image": {"repository": "registry.example/cxr-train", "digest": "sha256:" + "a" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "workers": {"count": 3, "gpusPerWorker": 2, "extraResources": {"rdma/ib": 1}},
    "launcher": {"nodeSelector": {"pool": "small"}, "tolerations": [{"key": "small", "operator": "Exists"}]},
    "data": {"existingClaim": "films", "subPath": "chest"},
    "prepare": {"enabled": True},
    "existingSecret": "store",
    "checkpoint": {"persistence": {"enabled": True, "storageClass": "nfs"}},
    "extraEnv": [{"name": "NCCL_DEBUG", "value": "INFO"}],
    "extraVolumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ca", "readOnly": True}],
    "podLabels": {"azure.workload.identity/use": "true"},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/cxr"}},
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "team", "operator": "Equal", "value": "radiology"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "In", "values": ["a100"]}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "priorityClassName": "training",
    "runtimeClassName": "nvidia",
    "schedulerName": "volcano",
    "schedulingPolicy": {"minAvailable": 4, "queue": "training", "minResources": {"cpu": "8"}},
    "kueue": {"queueName": "training", "priorityClass": "high"},
    "suspend": True,
    "ttlSecondsAfterFinished": 3600,
    "activeDeadlineSeconds": 86400,
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {"enabled": True, "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}, "alertLabels": {"team": "radiology"}},
    "grafanaDashboard": {"enabled": True, "annotations": {"grafana_folder": "Training"}},
    "training": {
        "data": {"training": "/data/nih/training", "validation": "/data/nih/validation"},
        "prepare": {"source": ["/data/images"], "table": "/data/Data_Entry.csv", "destination": "/data/nih"},
    },
}
"""Values under which every template says something."""


@dataclass(frozen=True)
class Rendered:
    """What Helm would install."""

    objects: tuple[Tree, ...]
    notes: str

    def all(self, kind: str) -> list[Tree]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, ending: str = "") -> Tree:
        (found,) = [each for each in self.all(kind) if each["metadata"]["name"].endswith(ending)]
        return found

    @property
    def job(self) -> Tree:
        return self.one("MPIJob")

    @property
    def job_name(self) -> str:
        return str(self.job["metadata"]["name"])

    @property
    def pods(self) -> dict[str, Tree]:
        """The pods that come of it, by component: metadata and spec of each."""
        replicas = self.job["spec"]["mpiReplicaSpecs"]
        found = {"launcher": replicas["Launcher"]["template"], "worker": replicas["Worker"]["template"]}
        if self.all("Job"):
            found["prepare"] = self.one("Job")["spec"]["template"]
        return {**found, "test": self.one("Pod")}

    def container(self, component: str) -> Tree:
        """The first container of a pod: the one that gets the operator's keys."""
        return dict(self.pods[component]["spec"]["containers"][0])

    @property
    def training(self) -> Tree:
        """What the trainer reads."""
        text = self.one("ConfigMap", f"{self.job_name}-training")["data"]["config.yaml"]
        return dict(yaml.safe_load(text))


class Render(Protocol):
    """Renders the chart; ``api`` is what a cluster would say it knows, ``kubernetes`` which version it is."""

    def __call__(
        self,
        values: Tree | None = None,
        *,
        name: str = "cxr-train",
        namespace: str = "films",
        api: tuple[str, ...] = (),
        kubernetes: str = "",
        chart: Path = CHART,
    ) -> Rendered: ...


@pytest.fixture(scope="session")
def render() -> Render:
    return _render


@pytest.fixture(scope="session")
def presets() -> dict[str, Tree]:
    """The values of every preset, by its name."""
    return {file.stem: yaml.safe_load(file.read_text()) for file in sorted((CHART / "presets").glob("*.yaml"))}


@pytest.fixture(scope="session")
def variants(presets: dict[str, Tree]) -> dict[str, Tree]:
    """Values to hold every rule against."""
    return {"defaults": {}, "everything": EVERYTHING, **presets}


@pytest.fixture(scope="session")
def rendered(variants: dict[str, Tree]) -> dict[str, Rendered]:
    """Every variant, rendered."""
    return {name: _render(values) for name, values in variants.items()}


def _render(
    values: Tree | None = None,
    *,
    name: str = "cxr-train",
    namespace: str = "films",
    api: tuple[str, ...] = (),
    kubernetes: str = "",
    chart: Path = CHART,
) -> Rendered:
    options: Tree = {"name": name, "namespace": namespace, "api_versions": list(api)}
    if kubernetes:
        options["kube_version"] = kubernetes
    with helm_python.Chart.load(chart) as loaded:
        # Chart.render has no parameter for the types of a cluster, the call below it has.
        files = json.loads(
            _native.call_string("helm_render", loaded._raw(), json.dumps(values or {}), json.dumps(options))
        )
    notes = next(text for file, text in files.items() if file.endswith("NOTES.txt"))
    manifests = (text for file, text in sorted(files.items()) if file.endswith(".yaml"))
    return Rendered(tuple(_objects(manifests)), notes)


def _objects(manifests: Iterator[str]) -> Iterator[Tree]:
    for text in manifests:
        yield from (each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each)
