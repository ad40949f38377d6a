"""The end of a job for good: its reason where people look for it, and no further start of its launcher."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from k8s import progress
from k8s.client import Cluster
from k8s.place import Place
from trainer.errors import ClusterError, CxrError

log = logging.getLogger("cxr_train")

_LIMIT_BYTES = 4096


def write_reason(reason: str) -> None:
    """Keeps the reason in the file that the kubelet reads; a process outside a pod has none."""
    file = Path(os.environ.get("CXR_TRAIN_TERMINATION_LOG", "/dev/termination-log"))
    if file.exists():
        with contextlib.suppress(OSError):
            file.write_bytes(reason.encode()[:_LIMIT_BYTES])


def end_retries(cluster: Cluster, place: Place) -> None:
    """The operator knows nothing of exit codes: its Job would try a typo again and again."""
    try:
        cluster.end_retries(place.launcher_job)
    except ClusterError as refused:
        log.warning("the Job will try again in vain: %s", refused)


@contextlib.contextmanager
def failing_for_good(cluster: Cluster, place: Place) -> Iterator[None]:
    """Around what comes before the launcher: an error there (settings of another version) is the job's last word."""
    try:
        yield
    except CxrError as error:
        write_reason(str(error))
        with contextlib.suppress(ClusterError):
            told = {"phase": "Failed", "reason": str(error)}
            cluster.annotate(place.job, {progress.PREFIX + key: value for key, value in told.items()})
        end_retries(cluster, place)
        raise
