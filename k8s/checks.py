"""What ``cxr-train doctor`` looks at: each check is a function of values and of what the API said. Pure."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

from k8s.finding import Finding, Object
from k8s.values import Values, at

_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "m": 1e-3, "": 1}
_GIB = 2**30
_OLDEST_KUBERNETES = (1, 27)
_MPIJOB_VERSION = "v2beta1"

_BASE_BYTES_PER_RANK = 1.2 * _GIB
_BYTES_PER_FILM = 25 * 2**20
"""Estimates, for a note and never for a refusal: a process with TensorFlow, ResNet-34's activations at 224 pixels."""

_SHM = "shared memory"


def quantity(text: object) -> float:
    """A Kubernetes quantity (``500m``, ``4Gi``) as a number."""
    match = re.fullmatch(r"([0-9.]+(?:e[0-9+-]+)?)([A-Za-z]*)", str(text))
    if not match or match[2] not in _UNITS:
        return math.nan
    return float(match[1]) * _UNITS[match[2]]


def api(version: str) -> Finding:
    """The API server answers, and is not too old."""
    numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    if numbers and numbers < _OLDEST_KUBERNETES:
        return Finding("API server", "note", f"Kubernetes {version} is older than tried", "1.27 or newer is supported")
    return Finding("API server", "good", f"Kubernetes {version}")


def mpijob_type(group: Object | None) -> Finding:
    """The MPI operator's type is there, in the version that the chart writes.

    Args:
        group: what ``/apis/kubeflow.org`` answered; None if there is no such group.
    """
    cure = (
        "an administrator installs the MPI operator: "
        "kubectl apply --server-side -f https://github.com/kubeflow/mpi-operator/releases (0.5 or newer)"
    )
    if group is None:
        return Finding("MPIJob", "blocking", "the cluster does not know the type MPIJob", cure)
    versions = [each["version"] for each in group.get("versions", [])]
    if _MPIJOB_VERSION not in versions:
        text = f"the cluster knows kubeflow.org/{', '.join(versions)}, the chart writes {_MPIJOB_VERSION}"
        return Finding("MPIJob", "blocking", text, cure)
    return Finding("MPIJob", "good", f"kubeflow.org/{_MPIJOB_VERSION}")


def launcher_policy(schema: Object | None) -> Finding | None:
    """The operator is new enough to start the launcher before the workers are there (0.5); None if unknown."""
    if schema is None:
        return None
    if "launcherCreationPolicy" in str(schema):
        return Finding("MPI operator", "good", "starts the launcher at once")
    return Finding(
        "MPI operator", "blocking", "is older than 0.5: no launcherCreationPolicy", "update the MPI operator"
    )


def rights(denied: Sequence[str]) -> Finding:
    """This user may make what the chart holds."""
    if denied:
        return Finding(
            "rights",
            "blocking",
            f"you may not create {', '.join(denied)} in this namespace",
            "ask for the ClusterRole edit (and kubeflow-mpijobs-edit) there, or install into another with -n",
        )
    return Finding("rights", "good", "you may create what the chart holds")


def gpus(values: Values, nodes: Sequence[Object] | None) -> Finding:
    """There are nodes with as many GPUs as a worker asks for, and enough of them.

    Args:
        values: the chart's.
        nodes: None where this user may not list them.
    """
    wanted, workers = int(at(values, "workers.gpusPerWorker", 0)), int(at(values, "workers.count", 1))
    resource = at(values, "workers.gpuResource", "nvidia.com/gpu")
    if not wanted:
        return Finding("GPUs", "good", "none asked for")
    if nodes is None:
        return Finding("GPUs", "note", "you may not list nodes, so nobody looked", "kubectl describe nodes, or go on")
    offers = sorted((_offer(each, resource) for each in nodes if _is_schedulable(each)), reverse=True)
    places = sum(offer // wanted for offer in offers)
    largest = offers[0] if offers else 0
    if largest == 0:
        text = f"no node offers {resource}"
        cure = "install the GPU operator or the device plugin; without GPUs: -f helm/presets/cpu.yaml"
        return Finding("GPUs", "blocking", text, cure)
    if places < workers:
        text = f"{workers} workers of {wanted} {resource} are asked for, nodes have room for {places}"
        cure = f"set workers.count and workers.gpusPerWorker to what there is (the largest node has {largest})"
        return Finding("GPUs", "blocking", text, cure)
    return Finding("GPUs", "good", f"room for {places} workers of {wanted}")


def cpu_and_memory(values: Values, nodes: Sequence[Object] | None) -> Finding | None:
    """Some node is large enough for a worker; None where this user may not list nodes."""
    if nodes is None:
        return None
    requests = at(values, "workers.resources.requests", {})
    for name in ("cpu", "memory", "ephemeral-storage"):
        wanted = quantity(requests.get(name, 0))
        largest = max(
            (quantity(each["status"]["allocatable"].get(name, 0)) for each in nodes if _is_schedulable(each)),
            default=0.0,
        )
        if wanted > largest:
            text = f"a worker asks for {requests[name]} of {name}, and no node has that much"
            return Finding("nodes", "blocking", text, f"lower workers.resources.requests.{name}")
    return Finding("nodes", "good", "a worker fits on a node")


def quota(values: Values, quotas: Sequence[Object]) -> Iterator[Finding]:
    """The namespace's quotas leave room for the workers and the launcher."""
    needed = _needed(values)
    found = False
    for each in quotas:
        status = each.get("status", {})
        for name, hard in (status.get("hard") or {}).items():
            if name not in needed:
                continue
            left = quantity(hard) - quantity((status.get("used") or {}).get(name, 0))
            if needed[name] > left:
                found = True
                text = f"{each['metadata']['name']} leaves {left:g} of {name}, the job needs {needed[name]:g}"
                yield Finding("quota", "blocking", text, "raise the quota, free some of it, or ask for fewer workers")
    if not found:
        yield Finding("quota", "good", "none in the way" if quotas else "none in the namespace")


def pod_monitor(values: Values, group: Object | None) -> Finding | None:
    """The Prometheus operator's types are there, where the values ask for them."""
    wanted = [key for key in ("podMonitor", "prometheusRule") if at(values, f"{key}.enabled", False)]
    if not wanted:
        return None
    if group is None:
        cure = f"install the Prometheus operator, or set {wanted[0]}.enabled=false"
        return Finding("monitoring", "blocking", f"{', '.join(wanted)} asked for, the types are unknown", cure)
    return Finding("monitoring", "good", "the Prometheus operator's types are there")


def shared_memory(values: Values) -> Finding:
    """Shared memory holds what ranks of a pod exchange, and fits into the worker's memory."""
    size = quantity(at(values, "shm.sizeLimit", "0"))
    limit = quantity(at(values, "workers.resources.limits.memory", "0"))
    ranks = int(at(values, "workers.gpusPerWorker", 0)) or int(at(values, "workers.ranksPerWorker", 1))
    needed = 64 * 2**20 * ranks
    if size < needed:
        cure = f"set shm.sizeLimit to {needed // 2**20}Mi or more"
        return Finding(_SHM, "blocking", f"{size / 2**20:.0f} MiB for {ranks} ranks a worker is too small", cure)
    if limit and size > limit / 2:
        text = "takes more than half of the worker's memory limit, of which it is part"
        return Finding(_SHM, "note", text, "raise workers.resources.limits.memory")
    return Finding(_SHM, "good", f"{size / 2**20:.0f} MiB for {ranks} ranks a worker")


def batch(values: Values, defaults: Mapping[str, int]) -> Finding:
    """The ranks divide the global batch.

    Args:
        values: the chart's.
        defaults: of the trainer's own settings: ``train.global_batch_size``.
    """
    ranks = _ranks(values)
    size = int(at(values, "training.train.global_batch_size", defaults["train.global_batch_size"]))
    if size % ranks:
        up = size + -size % ranks
        text = f"{size} films a batch are not divisible by {ranks} ranks"
        return Finding("batch", "blocking", text, f"set training.train.global_batch_size to {up}")
    return Finding("batch", "good", f"{size // ranks} films a rank and step")


def memory(values: Values, defaults: Mapping[str, int]) -> Finding | None:
    """A worker's memory limit holds its ranks' share of the batch; None on GPUs, which have their own."""
    limit = quantity(at(values, "workers.resources.limits.memory", "0"))
    if at(values, "workers.gpusPerWorker", 0) or not limit:
        return None
    ranks = int(at(values, "workers.ranksPerWorker", 1))
    size = int(at(values, "training.train.global_batch_size", defaults["train.global_batch_size"]))
    side = int(at(values, "training.prepare.image_size", defaults["prepare.image_size"]))
    films = size / _ranks(values)
    needed = ranks * (_BASE_BYTES_PER_RANK + films * _BYTES_PER_FILM * (side / 224) ** 2)
    if needed > limit:
        text = (
            f"{limit / _GIB:.1f} GiB for {ranks} ranks of {films:.0f} films: about {needed / _GIB:.1f} GiB are needed"
        )
        cure = "raise workers.resources.limits.memory, or lower training.train.global_batch_size"
        return Finding("memory", "note", text, cure)
    return Finding("memory", "good", f"about {needed / _GIB:.1f} of {limit / _GIB:.1f} GiB a worker")


def _ranks(values: Values) -> int:
    each = int(at(values, "workers.gpusPerWorker", 0)) or int(at(values, "workers.ranksPerWorker", 1))
    return each * int(at(values, "workers.count", 1))


def _needed(values: Values) -> dict[str, float]:
    workers = int(at(values, "workers.count", 1))
    needed: dict[str, float] = {"pods": workers + 1, "count/pods": workers + 1, "count/mpijobs.kubeflow.org": 1}
    for pods, resources in ((workers, at(values, "workers.resources", {})), (1, at(values, "launcher.resources", {}))):
        for kind in ("requests", "limits"):
            for name, amount in (resources.get(kind) or {}).items():
                key = f"{kind}.{name}"
                needed[key] = needed.get(key, 0.0) + pods * quantity(amount)
    resource = at(values, "workers.gpuResource", "nvidia.com/gpu")
    if gpus_each := int(at(values, "workers.gpusPerWorker", 0)):
        needed[f"requests.{resource}"] = workers * gpus_each
    for name in ("cpu", "memory"):
        if f"requests.{name}" in needed:
            needed[name] = needed[f"requests.{name}"]
    return needed


def _is_schedulable(node: Object) -> bool:
    return not node["spec"].get("unschedulable")


def _offer(node: Object, resource: str) -> int:
    return int(quantity(node["status"].get("allocatable", {}).get(resource, 0)))
