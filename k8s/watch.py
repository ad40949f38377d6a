"""What hinders a pod, in words, from what the API says of it. Pure: pods and events are plain JSON."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Hindrance:
    """Why a pod does not run: ``patience_seconds`` is what it may last before it is taken to be for good."""

    text: str
    patience_seconds: float = math.inf

    def __str__(self) -> str:
        return self.text


_MINUTE = 60.0
_AT_ONCE = 0.0

# A registry, a Secret or a quota may come a little after the pod that needs it; a name that is no name never will.
_WAITING_PATIENCE = {
    "InvalidImageName": _AT_ONCE,
    "ErrImageNeverPull": _AT_ONCE,
    "ErrImagePull": 2 * _MINUTE,
    "ImagePullBackOff": 2 * _MINUTE,
    "CreateContainerConfigError": _MINUTE,
    "CreateContainerError": _MINUTE,
    "RunContainerError": _MINUTE,
}
_MINUTES_OF_SILENCE = ("NodeLost", "NodeUnreachable", "NodeNotReady")


def name_of(pod: Object) -> str:
    """The pod's name."""
    return str(pod["metadata"]["name"])


def uid_of(pod: Object) -> str:
    """Tells a pod from its successor of the same name."""
    return str(pod["metadata"]["uid"])


def phase_of(pod: Object) -> str:
    """Pending, Running, Succeeded, Failed or Unknown."""
    return str(pod.get("status", {}).get("phase", "Unknown"))


def is_terminating(pod: Object) -> bool:
    """Whether somebody has deleted it."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_running(pod: Object) -> bool:
    """Whether its containers run and nobody wants them gone."""
    return phase_of(pod) == "Running" and not is_terminating(pod)


def is_disrupted(pod: Object) -> bool:
    """Whether the cluster, not the job, ends it: eviction, preemption, a drained or lost node, a deletion."""
    marked = any(each["type"] == "DisruptionTarget" and each["status"] == "True" for each in _conditions(pod))
    return marked or is_terminating(pod) or pod.get("status", {}).get("reason") in ("Evicted", "Preempting", "NodeLost")


def address_of(pod: Object) -> str | None:
    """Its IP address, once it has one."""
    address = pod.get("status", {}).get("podIP")
    return str(address) if address else None


def overdue_seconds(pod: Object, now: datetime) -> float:
    """How long ago a deleted pod's grace ended; below 0 while it lasts, minus infinity for one nobody deleted."""
    gone = pod["metadata"].get("deletionTimestamp")
    return (now - datetime.fromisoformat(gone)).total_seconds() if gone else -math.inf


def hindrance(pod: Object | None, warnings: Sequence[Object] = ()) -> Hindrance | None:
    """Why the pod does not run; None if it does.

    Args:
        pod: None for one that is not there.
        warnings: Warning events about the pod (about the job, for a pod that is not there), the newest last.
    """
    if pod is None:
        said = _last_message(warnings)
        return Hindrance(f"there is no pod: {said}" if said else "there is no pod yet")
    if is_terminating(pod):
        return Hindrance("the pod is being deleted")
    ended = end_of(pod)
    if ended:
        return ended
    if phase_of(pod) == "Running":
        return None
    return _unschedulable(pod) or _waiting(pod) or Hindrance(_last_message(warnings) or _creating(pod))


def end_of(pod: Object) -> Hindrance | None:
    """How a pod has ended, or what a container of it that matters has died of; None while it lives."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        ended = container.get("state", {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == "OOMKilled"):
            return _death(pod, container, ended)
    if phase_of(pod) == "Failed":
        reason, message = status.get("reason", "Failed"), status.get("message", "without a message")
        return Hindrance(f"{reason}: {message}")
    if phase_of(pod) == "Succeeded":
        return Hindrance("the pod has ended")
    return None


def unreachable(pod: Object) -> str | None:
    """The control plane's word that the pod's node does not answer; None if it does."""
    for each in _conditions(pod):
        if each["type"] == "Ready" and each["status"] != "True" and each.get("reason") in _MINUTES_OF_SILENCE:
            return f"its node {pod['spec'].get('nodeName', '')} does not answer ({each['reason']})"
    return None


def _death(pod: Object, container: Object, ended: Object) -> Hindrance:
    name, code = container["name"], int(ended.get("exitCode") or 0)
    last = _last_line(ended.get("message", ""))
    which = "init container" if container in pod["status"].get("initContainerStatuses", []) else "container"
    if ended.get("reason") == "OOMKilled":
        limit = _memory_limit(pod, name)
        return Hindrance(f"{which} {name} was killed for want of memory (OOMKilled{limit}): raise its memory limit")
    # A code up to 127 is permanent for all our programs; of the worker's own container, `launch` knows more.
    patience = _AT_ONCE if which == "init container" and 0 < code < 128 else math.inf
    words = f": {last}" if last else ""
    return Hindrance(f"{which} {name} ended with exit code {code}{words}", patience)


def _unschedulable(pod: Object) -> Hindrance | None:
    for each in _conditions(pod):
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return Hindrance(f"{each.get('reason', 'Pending')}: {each.get('message', 'not scheduled')}")
    return None


def _waiting(pod: Object) -> Hindrance | None:
    """The first container that waits for more than its turn."""
    status = pod.get("status", {})
    for container in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting", {})
        reason = waiting.get("reason", "")
        if reason in _WAITING_PATIENCE:
            about = f"image {container['image']}, " if "Image" in reason else ""
            message = " ".join(waiting.get("message", "no message").split())
            return Hindrance(f"{reason}: {about}{message}", _WAITING_PATIENCE[reason])
    return None


def _creating(pod: Object) -> str:
    for container in pod.get("status", {}).get("initContainerStatuses", []):
        if "running" in container.get("state", {}):
            return f"init container {container['name']} runs"
    return "its containers are being made"


def _last_message(warnings: Sequence[Object]) -> str:
    if not warnings:
        return ""
    last = warnings[-1]
    return f"{last.get('reason', 'Warning')}: {' '.join(str(last.get('message', '')).split())}"


def _memory_limit(pod: Object, container: str) -> str:
    for each in (*pod["spec"].get("initContainers", []), *pod["spec"].get("containers", [])):
        limit = each.get("resources", {}).get("limits", {}).get("memory")
        if each["name"] == container and limit:
            return f" at {limit}"
    return ""


def _last_line(text: str) -> str:
    lines = [line for line in re.split(r"[\r\n]+", text.strip()) if line.strip()]
    return lines[-1].strip() if lines else ""


def _conditions(pod: Object) -> list[Object]:
    return list(pod.get("status", {}).get("conditions") or [])
