"""The memory of a command and of all processes under it, sampled while it runs."""

import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

_SAMPLE_SECONDS = 0.05


class Peak(NamedTuple):
    """Largest sums over the processes, MiB: resident; and anonymous: without pages of files, which can be dropped."""

    resident: float
    anonymous: float


def peak_memory(command: Sequence[str], log: Path) -> Peak:
    """Runs the command to its end. Raises CalledProcessError if it fails; its output is in ``log``."""
    peaks = Peak(0.0, 0.0)
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        ended = threading.Event()
        threading.Thread(target=lambda: (process.wait(), ended.set()), daemon=True).start()
        while not ended.wait(_SAMPLE_SECONDS):
            peaks = Peak(*map(max, zip(peaks, _now(process.pid), strict=True)))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, log.read_bytes()[-2000:])
    return peaks


def _now(pid: int) -> Peak:
    resident = anonymous = 0
    for each in _family(pid):
        try:
            memory = each.memory_info()
        except psutil.NoSuchProcess:
            continue
        resident += memory.rss
        anonymous += memory.rss - memory.shared
    return Peak(resident / 2**20, anonymous / 2**20)


def _family(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
