"""The workers as the launcher sees them: their pods, the lines to them, what hinders each, and which are lost."""

import contextlib
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

from k8s import watch
from k8s.channel import Channel, Said, Unreached
from k8s.client import Cluster, Object
from k8s.place import Place
from k8s.watch import Hindrance
from trainer.errors import ClusterError

log = logging.getLogger("cxr_train")

SILENT_SECONDS = 20.0
"""A worker whose line stays down so long while ranks run is lost; ssh itself notices after 15 s."""

_OVERDUE_SECONDS = 15.0
_WARNINGS_SECONDS = 10.0
_LIST_AGAIN_SECONDS = 2.0
_SILENT_POD_GRACE_SECONDS = 5


@dataclass(frozen=True)
class Pods:
    """All pods of the job, as they are now."""

    pods: Sequence[Object]


@dataclass(frozen=True)
class MpirunEnded:
    """mpirun of that attempt is gone."""

    attempt: int
    code: int


@dataclass(frozen=True)
class Asked:
    """The launcher was sent a signal."""

    signal: int


Event = Pods | Said | Unreached | MpirunEnded | Asked


@dataclass
class Worker:
    """One worker, over all pods that bear its name."""

    index: int
    pod: Object | None = None
    channel: Channel | None = None
    on_line: bool = False
    why: str = "its ssh connection is being made"
    down_since: float = 0.0
    attempt: int = 0
    """The newest that its ``work`` knows."""
    cleared: int = 0
    """The newest that it has made way for."""
    stuck: int = 0
    """An attempt that it could not make way for: a rank does not end."""
    warnings: list[Object] = field(default_factory=list)
    asked_for_warnings: float = -math.inf
    hindered: tuple[str, float] = ("", 0.0)


class Crew:
    """All workers of a job. Its owner takes events from ``events`` and gives each to ``take``."""

    def __init__(self, cluster: Cluster, place: Place, ssh: Sequence[str], clock: Callable[[], float]) -> None:
        self._cluster, self._place, self._ssh, self._clock = cluster, place, ssh, clock
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.workers = [Worker(index) for index in range(place.workers)]
        self._listed = False
        threading.Thread(target=self._watch, name="pods", daemon=True).start()

    def take(self, event: Event) -> None:
        """Keeps what an event tells of the workers."""
        if isinstance(event, Pods):
            self._listed = True
            by_name = {watch.name_of(each): each for each in event.pods}
            for worker in self.workers:
                self._take_pod(worker, by_name.get(self._place.worker(worker.index)))
        elif isinstance(event, Said | Unreached):
            worker = self.workers[event.worker]
            if worker.channel and worker.channel.uid == event.uid:
                self._take_word(worker, event)

    def next(self, seconds: float = 1.0) -> Event | None:
        """Waits for an event and takes it; None if there was none."""
        try:
            event = self.events.get(timeout=seconds)
        except queue.Empty:
            return None
        self.take(event)
        return event

    def hindrance(self, worker: Worker) -> Hindrance | None:
        """Why no rank can be started on a worker; None if one can."""
        if not self._listed:
            return Hindrance("its pod is being looked for")
        found = watch.hindrance(worker.pod, self._warnings(worker))
        if found or worker.on_line:
            return found
        return Hindrance(worker.why)

    def lasting(self, worker: Worker, found: Hindrance) -> float:
        """Seconds for which that has hindered the worker without a break."""
        now = self._clock()
        # Messages differ in their numbers from one look to the next; what is the matter is the first word.
        kind = found.text.split(":")[0]
        if worker.hindered[0] != kind:
            worker.hindered = (kind, now)
        return now - worker.hindered[1]

    def loss(self, worker: Worker, uid: str) -> str:
        """Why the pod on which ranks were started is lost; empty while it is not."""
        pod = worker.pod
        if pod is None or watch.uid_of(pod) != uid:
            return "its pod is gone"
        ended = watch.end_of(pod)
        if ended:
            return ended.text
        if worker.on_line:
            return ""
        silent = self._clock() - worker.down_since > SILENT_SECONDS
        return watch.unreachable(pod) or (f"it has gone silent: {worker.why}" if silent else "")

    def uid(self, worker: Worker) -> str:
        """Of the pod that the worker has now."""
        return watch.uid_of(worker.pod) if worker.pod else ""

    def replace_ended(self) -> None:
        """Deletes pods that have ended, which the operator never replaces, and by force those of a dead node."""
        for worker in self.workers:
            pod = worker.pod
            if pod is None:
                continue
            if watch.is_terminating(pod):
                if watch.overdue_seconds(pod, datetime.now(UTC)) > _OVERDUE_SECONDS:
                    log.warning("%s is still there after its grace; it is deleted by force", watch.name_of(pod))
                    self.delete(worker, 0)
            elif watch.phase_of(pod) in ("Failed", "Succeeded"):
                self.delete(worker, None)

    def delete(self, worker: Worker, grace_seconds: int | None) -> None:
        """Deletes a worker's pod, so that the operator makes a new one. None: with the grace of a silent pod."""
        if worker.pod is None:
            return
        grace = _SILENT_POD_GRACE_SECONDS if grace_seconds is None else grace_seconds
        name, uid = watch.name_of(worker.pod), watch.uid_of(worker.pod)
        try:
            self._cluster.delete_pod(name, uid, grace)
        except ClusterError as error:
            log.warning("%s cannot be deleted: %s", name, error)
        if grace == 0 or worker.pod["status"].get("phase") in ("Failed", "Succeeded"):
            # The watch will tell; until then it must not be taken for one that can still be used.
            worker.pod = None

    def ask(self, members: Sequence[Worker], **message: object) -> None:
        """Says something to the ``work`` of each."""
        for each in members:
            if each.channel:
                each.channel.ask(**message)

    def reap_orphans(self) -> None:
        """Takes what mpirun has left: as process 1, the launcher is the parent of its ssh processes then."""
        own = {each.channel.process_id for each in self.workers if each.channel}
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)

    def close(self) -> None:
        """Ends all lines."""
        for each in self.workers:
            if each.channel:
                each.channel.close()

    # ---- Below ----

    def _watch(self) -> None:
        selector = f"training.kubeflow.org/job-name={self._place.job},training.kubeflow.org/job-role=worker"
        told = ""
        while True:
            try:
                for pods in self._cluster.watch_pods(selector):
                    self.events.put(Pods(pods))
                    told = ""
            except ClusterError as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("the pods cannot be watched: %s", error)
            time.sleep(_LIST_AGAIN_SECONDS)

    def _take_pod(self, worker: Worker, pod: Object | None) -> None:
        worker.pod = pod
        gone = pod is None or watch.phase_of(pod) in ("Failed", "Succeeded")
        if worker.channel and (gone or (pod and watch.uid_of(pod) != worker.channel.uid)):
            worker.channel.close()
            worker.channel, worker.on_line = None, False
        if pod and worker.channel is None and watch.is_running(pod) and (address := watch.address_of(pod)):
            self._connect(worker, watch.uid_of(pod), address)

    def _connect(self, worker: Worker, uid: str, address: str) -> None:
        worker.on_line, worker.why, worker.down_since = False, "its ssh connection is being made", self._clock()
        worker.cleared = worker.stuck = 0
        host = self._place.host(worker.index)
        worker.channel = Channel(worker.index, uid, address, host, self.events.put, self._ssh)

    def _take_word(self, worker: Worker, event: Said | Unreached) -> None:
        if isinstance(event, Unreached):
            if worker.on_line:
                worker.on_line, worker.down_since = False, self._clock()
            worker.why = event.why
            return
        message = event.message
        if message["kind"] == "hello":
            worker.on_line = True
            worker.attempt = max(worker.attempt, message["attempt"])
        elif message["kind"] == "cleared":
            worker.cleared = max(worker.cleared, message["attempt"])
        elif message["kind"] == "stuck":
            worker.stuck = max(worker.stuck, message["attempt"])

    def _warnings(self, worker: Worker) -> list[Object]:
        """Warning events about a pod that does not come, asked for now and then; about the job, where there is none."""
        waits = worker.pod is None or watch.phase_of(worker.pod) == "Pending"
        if waits and self._clock() - worker.asked_for_warnings > _WARNINGS_SECONDS:
            worker.asked_for_warnings = self._clock()
            name = watch.name_of(worker.pod) if worker.pod else self._place.job
            try:
                worker.warnings = self._cluster.warnings(name)
            except ClusterError as error:
                log.debug("events cannot be listed: %s", error)
        return worker.warnings if waits else []
