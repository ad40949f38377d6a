"""``cxr-train status``: a release's job as a person wants to see it, from outside the cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from k8s import progress, watch
from k8s.client import KubernetesCluster
from trainer.errors import ClusterError

Object = dict[str, Any]

_ROLE = "training.kubeflow.org/job-role"
_JOB = "training.kubeflow.org/job-name"


@dataclass(frozen=True)
class PodLine:
    """One pod, in words."""

    name: str
    role: str
    state: str
    node: str
    trouble: str


@dataclass(frozen=True)
class Status:
    """What there is to say of a job."""

    job: str
    phase: str
    progress: dict[str, str]
    """Annotations without the prefix."""
    pods: Sequence[PodLine]
    failure: str
    """The last one's reason; empty if there was none."""


def show(cluster: KubernetesCluster, release: str) -> None:
    """Prints the status of the release's job. Raises ClusterError if there is none."""
    jobs = sorted(cluster.jobs_of_release(release), key=lambda each: str(each["metadata"]["creationTimestamp"]))
    if not jobs:
        raise ClusterError(
            "release",
            release,
            f"has no job in namespace {cluster.namespace}",
            "helm install it, or name another with --release and --namespace",
        )
    console = Console()
    for job in jobs:
        name = job["metadata"]["name"]
        pods = cluster.pods(f"{_JOB}={name}")
        warnings = {watch.name_of(each): cluster.warnings(watch.name_of(each)) for each in pods if _waits(each)}
        launcher = cluster.find(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs/{name}-launcher")
        _print(console, status_of(job, launcher, pods, warnings), release)


def status_of(
    job: Object, launcher: Object | None, pods: Sequence[Object], warnings: dict[str, list[Object]]
) -> Status:
    """What there is to say, from the API's own objects. Pure."""
    told = progress.read(job)
    lines = [_pod_line(pod, warnings.get(watch.name_of(pod), [])) for pod in sorted(pods, key=_order)]
    return Status(
        job=job["metadata"]["name"],
        phase=_phase(job, launcher, told),
        progress=told,
        pods=lines,
        failure=_failure(told, pods, launcher, lines),
    )


def _phase(job: Object, launcher: Object | None, told: dict[str, str]) -> str:
    """The Job's word on an end: the MPIJob's conditions say Failed also when a worker was evicted."""
    if job["metadata"].get("deletionTimestamp"):
        return "Being deleted"
    for each in (launcher or {}).get("status", {}).get("conditions") or []:
        if each["type"] in ("Complete", "Failed") and each["status"] == "True":
            return {"Complete": "Succeeded", "Failed": "Failed"}[each["type"]]
    if job.get("spec", {}).get("runPolicy", {}).get("suspend"):
        return "Suspended"
    return told.get("phase") or "Pending"


def _failure(told: dict[str, str], pods: Sequence[Object], launcher: Object | None, lines: Sequence[PodLine]) -> str:
    """The launcher's reason, where it could give one; else what its pods have died of, or what hinders them."""
    if told.get("reason"):
        return told["reason"]
    succeeded = any(
        each["type"] == "Complete" and each["status"] == "True"
        for each in (launcher or {}).get("status", {}).get("conditions") or []
    )
    if succeeded:
        return ""
    for pod in sorted(pods, key=lambda each: str(each["metadata"]["creationTimestamp"]), reverse=True):
        ended = watch.end_of(pod)
        if ended and watch.phase_of(pod) == "Failed":
            return f"{watch.name_of(pod)}: {ended.text}"
    return next((f"{line.name}: {line.trouble}" for line in lines if line.trouble), "")


def _pod_line(pod: Object, warnings: list[Object]) -> PodLine:
    found = None if watch.phase_of(pod) == "Succeeded" else watch.hindrance(pod, warnings)
    state = "Terminating" if watch.is_terminating(pod) else watch.phase_of(pod)
    labels = pod["metadata"].get("labels", {})
    return PodLine(
        watch.name_of(pod), labels.get(_ROLE, ""), state, pod["spec"].get("nodeName", ""), found.text if found else ""
    )


def _order(pod: Object) -> tuple[str, int, str]:
    labels = pod["metadata"].get("labels", {})
    index = labels.get("training.kubeflow.org/replica-index", "0")
    created = str(pod["metadata"].get("creationTimestamp", ""))
    return labels.get(_ROLE, ""), int(index) if index.isdigit() else 0, created


def _waits(pod: Object) -> bool:
    return watch.phase_of(pod) == "Pending"


def _print(console: Console, status: Status, release: str) -> None:
    console.print(f"[bold]{release}[/bold]  job {status.job}  [bold]{status.phase}[/bold]", highlight=False)
    told = status.progress
    if "step" in told:
        parts = [f"step {told['step']}/{told.get('steps', '?')} ({told.get('percent', '?')}%)"]
        parts += [f"epoch {told['epoch']}"] if "epoch" in told else []
        for key, label in (("loss", "loss"), ("auroc", "auroc"), ("films-per-second", "films/s"), ("eta", "eta")):
            parts += [f"{label} {told[key]}"] if told.get(key) else []
        console.print("progress  " + "  ".join(parts), highlight=False, soft_wrap=True)
    attempts = f"restarts  {told.get('restarts', '0')}"
    told_at = f"  (told {told['updated']})" if "updated" in told else ""
    console.print(attempts + told_at, highlight=False)
    if status.failure:
        label = "last failure" if status.phase != "Pending" else "hindrance"
        console.print(f"{label}  {status.failure}", style="red", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("pod", "role", "state", "node"):
        table.add_column(column, no_wrap=True)
    table.add_column("trouble", overflow="fold")
    for each in status.pods:
        table.add_row(each.name, each.role, each.state, each.node, _shortened(each.trouble, status.failure))
    console.print(table, highlight=False, markup=False)


def _shortened(trouble: str, failure: str) -> str:
    """Without the words that the line above the table has said."""
    what, _, words = trouble.partition(": ")
    return what if words and words in failure else trouble
