"""Who writes a run: the job, the release it belongs to, and the process, told from all others."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

JOB_VARIABLE, RELEASE_VARIABLE, NAMESPACE_VARIABLE = "CXR_TRAIN_JOB", "CXR_TRAIN_RELEASE", "CXR_TRAIN_NAMESPACE"
"""Set by the chart, and passed on to the ranks. Whoever starts ranks in another way may set them too."""


@dataclass(frozen=True)
class Process:
    """A process, told from every other that ever was, and from one of the same number in another container."""

    kernel: str
    """This boot of the machine, and the namespace in which ``number`` counts."""
    number: int
    began: int
    """Clock ticks after the boot."""

    @classmethod
    def own(cls) -> "Process":
        """The calling one."""
        return cls(_kernel(), os.getpid(), _began(os.getpid()) or 0)

    def is_seen_to_be_gone(self, seen_from: "Process") -> bool:
        """Whether ``seen_from`` is where it would be seen, and it is not there."""
        return self.kernel == seen_from.kernel and not self.is_seen(seen_from)

    def is_seen(self, seen_from: "Process") -> bool:
        """Whether it lives where ``seen_from`` does."""
        if self.kernel != seen_from.kernel:
            return False
        began = _began(self.number)
        # Another user's may be hidden but for its number.
        return psutil.pid_exists(self.number) if began is None else began == self.began


@dataclass(frozen=True)
class Owner:
    """Who writes a run. ``job`` and ``release`` are empty where no cluster has given them."""

    job: str
    release: str
    host: str
    process: Process

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Owner":
        """The calling process, under the names that its environment gives it."""
        job, release = (_in_place(environment, variable) for variable in (JOB_VARIABLE, RELEASE_VARIABLE))
        return cls(job, release, socket.gethostname(), Process.own())

    def same_job(self, other: "Owner") -> bool:
        """Whether one is the other, started again."""
        return bool(self.job) and self.job == other.job

    def same_release(self, other: "Owner") -> bool:
        """Whether one follows on the other: an upgrade of its release."""
        return bool(self.release) and self.release == other.release

    def __str__(self) -> str:
        names = f"job {self.job} (release {self.release})" if self.job else f"process {self.process.number}"
        return f"{names} on {self.host}"


def _in_place(environment: Mapping[str, str], variable: str) -> str:
    """A name of a namespace, if there is one."""
    place, name = environment.get(NAMESPACE_VARIABLE, ""), environment.get(variable, "")
    return f"{place}/{name}" if place and name else name


def _kernel() -> str:
    """Where the machine does not tell, a place of its own: nothing is seen from there, and nobody sees it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.urandom(16).hex()


def _began(number: int) -> int | None:
    """Field 22 of proc(5)'s stat; 0 for a process that is dead and not buried; None for one that is not shown."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    words = stat.rpartition(")")[2].split()
    return 0 if words[0] in "ZX" else int(words[19])
