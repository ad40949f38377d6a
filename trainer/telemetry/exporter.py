"""Writes the catalog's metrics, and serves those of all ranks of a node from one port.

Where PROMETHEUS_MULTIPROC_DIR is set, values go to memory-mapped files in that folder, which ``serve`` reads from
whichever process it runs in. The folder has to be fresh for each run: files of ended ranks would be served too.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server, values
from prometheus_client.multiprocess import MultiProcessCollector

from trainer.errors import UsageError
from trainer.telemetry.catalog import GAUGE_MODE, METRICS, Metric

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable naming the folder that ranks write to and ``serve`` reads; unset: kept in the process."""


class Recorder:
    """Writes metrics for one rank; a write costs a microsecond or two.

    The label rank is filled in. Metrics of the job are kept by rank 0 alone: writes by other ranks are dropped,
    so that a sum over pods counts the job once. Counters are there from the start, at 0.

    Args:
        rank: the writer's rank, 0 for a process that speaks for the job.
        registry: gets the metrics; a new one if None.
    """

    def __init__(self, rank: int, registry: CollectorRegistry | None = None) -> None:
        # The library chooses between files and memory when it is first imported; the environment may be newer.
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        registry = registry or CollectorRegistry()
        self._rank = rank
        self._families = {each: _family(each, registry) for each in METRICS if each.per_rank or rank == 0}
        self._writers: dict[tuple[str, Metric, tuple[str, ...]], Callable[[float], object]] = {}
        for each in self._families:
            if each.kind == "counter":
                self.add(each, 0.0)

    def set(self, gauge: Metric, value: float, *labels: str) -> None:
        """Set a gauge; labels are the values of its labels other than rank, in the catalog's order."""
        self._writer("set", gauge, labels)(value)

    def add(self, counter: Metric, amount: float = 1.0, *labels: str) -> None:
        """Add to a counter; amount is 0 or more."""
        self._writer("inc", counter, labels)(amount)

    def observe(self, histogram: Metric, value: float, *labels: str) -> None:
        """Count a value into a histogram."""
        self._writer("observe", histogram, labels)(value)

    def _writer(self, verb: str, metric: Metric, labels: tuple[str, ...]) -> Callable[[float], object]:
        key = (verb, metric, labels)
        writer = self._writers.get(key)
        if writer is None:
            writer = self._writers[key] = self._bind(verb, metric, labels)
        return writer

    def _bind(self, verb: str, metric: Metric, labels: tuple[str, ...]) -> Callable[[float], object]:
        if verb != _VERBS[metric.kind]:
            raise TypeError(f"{metric.name} is a {metric.kind}: it takes {_VERBS[metric.kind]}, not {verb}")
        if metric not in self._families:
            return _drop
        given = [name for name in metric.labels if name != "rank"]
        filled = dict(zip(given, labels, strict=True)) | ({"rank": str(self._rank)} if metric.per_rank else {})
        family = self._families[metric]
        bound: Callable[[float], object] = getattr(family.labels(**filled) if filled else family, verb)
        return bound


@dataclass(frozen=True)
class Server:
    """A running endpoint; close it when the run ends."""

    address: str
    port: int
    _wsgi: WSGIServer
    _thread: threading.Thread

    def close(self) -> None:
        """Stop serving and free the port."""
        self._wsgi.shutdown()
        self._wsgi.server_close()
        self._thread.join()


def serve(port: int, address: str, directory: Path) -> Server:
    """Serve the metrics of all ranks that write to the folder, over HTTP in a thread.

    Args:
        port: TCP port; 0: any free one, named by the result.
        address: to listen on, e.g. ``127.0.0.1``.
        directory: the folder that DIRECTORY_VARIABLE names for the ranks.

    Raises:
        UsageError: the port is in use, or the address is not this machine's.
    """
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]
    try:
        wsgi, thread = start_http_server(port, address, registry)
    except OSError as error:
        raise UsageError(
            "telemetry.port",
            port,
            f"cannot be served on {address}: {error.strerror}",
            "choose another port or telemetry.address, or port 0 to serve no metrics",
        ) from error
    return Server(address, wsgi.server_port, wsgi, thread)


_VERBS = {"counter": "inc", "gauge": "set", "histogram": "observe"}


def _family(metric: Metric, registry: CollectorRegistry) -> Any:
    if metric.kind == "counter":
        return Counter(metric.name, metric.help, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, registry=registry, multiprocess_mode=GAUGE_MODE)
    return Histogram(metric.name, metric.help, metric.labels, registry=registry, buckets=metric.buckets)


def _drop(_value: float) -> None:
    """A write by a rank that does not keep the metric."""
