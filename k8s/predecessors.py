"""The jobs before this one: an upgraded release has a new MPIJob, while the older one still has to leave."""

from collections.abc import Mapping
from typing import Any

from k8s import watch
from k8s.client import Cluster
from k8s.place import Place


def predecessors(cluster: Cluster, place: Place) -> list[str]:
    """Names of the jobs of the same release, none newer than this one, that have pods which run or may yet run."""
    mine = cluster.job(place.job)["metadata"]
    others = [each["metadata"] for each in cluster.jobs_of_release(place.release)]
    newer = {each["name"] for each in others if _age(each) > _age(mine)}
    pods = cluster.pods(f"app.kubernetes.io/instance={place.release},training.kubeflow.org/job-name")
    running = {
        pod["metadata"]["labels"]["training.kubeflow.org/job-name"]
        for pod in pods
        if watch.phase_of(pod) in ("Running", "Pending")
    }
    return sorted(running - newer - {place.job})


def _age(metadata: Mapping[str, Any]) -> tuple[str, str]:
    return str(metadata["creationTimestamp"]), str(metadata["name"])
