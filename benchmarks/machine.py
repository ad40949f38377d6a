"""The machine and the versions that a number was measured with."""

import os
import platform
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.sides import PEERS, TORCH, first_cores

_PACKAGES = ("tensorflow-cpu", "keras", "horovod", "numpy", "pillow", "simplejpeg")


def machine() -> dict[str, Any]:
    """CPU, cores, memory, load in the minute before, and versions."""
    return {
        "cpu": _cpu(),
        "cores": len(first_cores(os.cpu_count() or 1)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_before": round(os.getloadavg()[0], 2),
        "kernel": platform.release(),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES} | _others(),
    }


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return f"{model} ({', '.join(flag for flag in ('avx512f', 'avx512_bf16', 'amx_bf16') if flag in flags)})"


def _others() -> dict[str, str]:
    """Of the environments beside this one, where they are."""
    found: dict[str, str] = {}
    for python, names in ((TORCH, ("torch",)), (PEERS, ("mosaicml-streaming", "webdataset"))):
        folders = [str(each) for each in python.parents[1].glob("lib/python*/site-packages")]
        found |= {name: each.version for name in names for each in distributions(path=folders, name=name)}
    return found
