"""A job's progress as annotations of its MPIJob: for ``kubectl describe``, for ``status``, for the next launcher."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from trainer.errors import ClusterError
from trainer.telemetry.logs import duration

PREFIX = "cxr-train.io/"

PERIOD_SECONDS = 10.0
"""Between two patches; a job's end is told at once."""


def of_beat(beat: Mapping[str, Any]) -> dict[str, str]:
    """What rank 0 tells, as annotations without the prefix; what is unknown is left out."""
    step, steps = beat.get("step", 0), beat.get("steps", 0)
    told = {"step": f"{step:.0f}", "steps": f"{steps:.0f}", "epoch": f"{beat.get('epoch', 0):.0f}"} if steps else {}
    if steps:
        told["percent"] = f"{100 * step / steps:.1f}"
    for key, name, form in (
        ("loss", "loss", "{:.4f}"),
        ("auroc", "auroc", "{:.4f}"),
        ("films_per_second", "films-per-second", "{:.1f}"),
    ):
        value = beat.get(key)
        if value is not None and math.isfinite(value):
            told[name] = form.format(value)
    if "eta_seconds" in beat:
        told["eta"] = duration(beat["eta_seconds"])
    return told


def read(job: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of an MPIJob that are ours, without the prefix."""
    annotations = job.get("metadata", {}).get("annotations") or {}
    return {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}


class Annotator:
    """Keeps the annotations up to date from a thread of its own: a slow API server never holds the launcher up.

    Args:
        patch: sets annotations; may raise ClusterError.
        warn: told once if that is refused.
    """

    def __init__(self, patch: Callable[[Mapping[str, str]], None], warn: Callable[[str], None]) -> None:
        self._patch, self._warn = patch, warn
        self._waiting: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._changed = threading.Condition()
        self._closing = self._warned = False
        self._thread = threading.Thread(target=self._run, name="annotations", daemon=True)
        self._thread.start()

    def set(self, values: Mapping[str, str]) -> None:
        """To be told soon; keys without the prefix. An empty value takes the key's meaning away, not the key."""
        with self._changed:
            new = {key: value for key, value in values.items() if self._told.get(key) != value}
            self._told |= new
            self._waiting |= new
            if self._waiting:
                self._changed.notify()

    def close(self, seconds: float = 10.0) -> None:
        """Tells what is left, and waits for it."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)

    def _run(self) -> None:
        last = -math.inf
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                self._changed.wait_for(lambda: self._closing, max(0.0, last + PERIOD_SECONDS - time.monotonic()))
                values, self._waiting, closing = self._waiting, {}, self._closing
            last = time.monotonic()
            if values:
                self._tell(values)
            if closing:
                return

    def _tell(self, values: Mapping[str, str]) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            self._patch({PREFIX + key: value for key, value in {**values, "updated": now}.items()})
        except ClusterError as error:
            with self._changed:
                self._waiting = {**values, **self._waiting}
            if not self._warned:
                self._warned = True
                self._warn(f"progress is not shown on the MPIJob: {error}")
