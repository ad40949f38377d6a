"""``cxr-train doctor``: asks a cluster what it is and has, and says what would keep a job from running there."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from k8s import checks, storage, values
from k8s.client import KubernetesCluster
from k8s.finding import Finding, Object
from k8s.values import Values
from trainer.config import Config
from trainer.errors import ClusterError

Answer = TypeVar("Answer")

_MARKS = {"good": "[green]ok[/green]", "note": "[yellow]note[/yellow]", "blocking": "[red]no[/red]"}

_MADE = (
    ("mpijobs", "kubeflow.org"),
    ("configmaps", ""),
    ("serviceaccounts", ""),
    ("roles", "rbac.authorization.k8s.io"),
    ("rolebindings", "rbac.authorization.k8s.io"),
)


def examine(connect: Callable[[], KubernetesCluster], chart: Path, files: Sequence[Path], sets: Sequence[str]) -> int:
    """Prints every finding with its cure; ClusterError's exit code if one is blocking, else 0."""
    wanted = values.load(chart, files, sets)
    console = Console()
    blocking = 0
    for each in findings(connect, wanted):
        console.print(f"{_MARKS[each.level]:<4}  {each.what}: ", end="", highlight=False)
        console.print(each.text, highlight=False, markup=False, soft_wrap=True)
        if each.level != "good" and each.cure:
            console.print(f"      {each.cure}", style="dim", highlight=False, markup=False, soft_wrap=True)
        blocking += each.level == "blocking"
    console.print(f"{blocking} of these would keep the job from running" if blocking else "nothing is in the way")
    return ClusterError.exit_code if blocking else 0


def findings(connect: Callable[[], KubernetesCluster], wanted: Values) -> Iterator[Finding]:
    """All checks; those of the cluster only if it answers."""
    defaults = Config()
    numbers = {
        "train.global_batch_size": defaults.train.global_batch_size,
        "prepare.image_size": defaults.prepare.image_size,
    }
    try:
        cluster = connect()
        version = str(cluster.read("/version").get("gitVersion", "unknown"))
    except ClusterError as error:
        yield Finding("API server", "blocking", f"{error.key}: {error.value} {error.rule}", error.cure)
    else:
        yield checks.api(version)
        yield from _of_the_cluster(cluster, wanted)
    yield checks.batch(wanted, numbers)
    yield checks.shared_memory(wanted)
    yield from _some(checks.memory(wanted, numbers))


def _of_the_cluster(cluster: KubernetesCluster, wanted: Values) -> Iterator[Finding]:
    namespace = f"/api/v1/namespaces/{cluster.namespace}"
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/mpijobs.kubeflow.org"
    yield checks.mpijob_type(cluster.find("/apis/kubeflow.org"))
    yield from _some(checks.launcher_policy(_if_allowed(lambda: cluster.find(crd))))
    yield checks.rights([name for name, group in _MADE if not cluster.may("create", name, group)])
    nodes = _if_allowed(lambda: cluster.read("/api/v1/nodes")["items"])
    yield checks.gpus(wanted, nodes)
    yield from _some(checks.cpu_and_memory(wanted, nodes))
    yield from checks.quota(wanted, _if_allowed(lambda: cluster.read(f"{namespace}/resourcequotas")["items"]) or [])
    yield from storage.secrets(
        wanted, _look_up(cluster, "secrets", [each[0] for each in storage.named_secrets(wanted)])
    )
    claims = _look_up(cluster, "persistentvolumeclaims", [each[0] for each in storage.named_claims(wanted)])
    yield from storage.claims(wanted, claims)
    classes = _if_allowed(lambda: cluster.read("/apis/storage.k8s.io/v1/storageclasses")["items"])
    yield storage.checkpoints(wanted, classes)
    yield from _some(checks.pod_monitor(wanted, cluster.find("/apis/monitoring.coreos.com")))


def _look_up(cluster: KubernetesCluster, plural: str, names: Sequence[str]) -> dict[str, Object | None]:
    """Objects of the namespace by name; one that this user may not read counts as there, since pods may."""
    found: dict[str, Object | None] = {}
    for name in names:
        path = f"/api/v1/namespaces/{cluster.namespace}/{plural}/{name}"
        try:
            found[name] = cluster.find(path)
        except ClusterError as error:
            if error.value != 403:
                raise
            found[name] = {"spec": {"accessModes": ["ReadWriteMany"]}}
    return found


def _if_allowed(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except ClusterError as error:
        if error.value != 403:
            raise
        return None


def _some(finding: Finding | None) -> Iterator[Finding]:
    if finding is not None:
        yield finding
