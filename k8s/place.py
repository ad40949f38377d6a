"""Where a pod stands: its job, its release and its peers, as the chart tells them in the environment. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.errors import ClusterError


@dataclass(frozen=True)
class Place:
    """One pod of a job of ``workers`` pods with ``ranks_per_worker`` ranks each."""

    job: str
    release: str
    namespace: str
    pod: str
    workers: int
    ranks_per_worker: int

    @property
    def launcher_job(self) -> str:
        """The batch/v1 Job that the operator makes for the launcher."""
        return f"{self.job}-launcher"

    def worker(self, index: int) -> str:
        """A worker's pod, whose name is also its host name."""
        return f"{self.job}-worker-{index}"

    def host(self, index: int) -> str:
        """A worker's name in the cluster's DNS; the headless Service bears the job's name."""
        return f"{self.worker(index)}.{self.job}.{self.namespace}.svc"

    def index(self, pod: str) -> int | None:
        """Which worker a pod is; None for a pod that is none."""
        number = pod.removeprefix(f"{self.job}-worker-")
        return int(number) if number != pod and number.isdigit() else None


def from_environment(environment: Mapping[str, str]) -> Place:
    """The place that the chart gave this pod; raises ClusterError, naming the variable, outside one."""

    def value(name: str) -> str:
        if not environment.get(name):
            raise ClusterError(
                name, environment.get(name, ""), "is not set", "this verb runs in the chart's pods: helm install"
            )
        return environment[name]

    def count(name: str) -> int:
        if not value(name).isdigit() or not int(value(name)):
            raise ClusterError(name, value(name), "is not a count", "let the chart set it")
        return int(value(name))

    return Place(
        job=value("CXR_TRAIN_JOB"),
        release=value("CXR_TRAIN_RELEASE"),
        namespace=value("CXR_TRAIN_NAMESPACE"),
        pod=value("CXR_TRAIN_POD"),
        workers=count("CXR_TRAIN_WORKERS"),
        ranks_per_worker=count("CXR_TRAIN_RANKS_PER_WORKER"),
    )
