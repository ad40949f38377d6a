"""What the monitoring's tests share: the files they hold to each other, and promtool where there is one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainer.telemetry.catalog import METRICS

ROOT = Path(__file__).parents[3]

Promtool = Callable[..., str]


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    """Runs promtool and returns what it printed; fails with that if promtool does. Skips where there is none."""
    built = Path(os.environ.get("CLUSTER_HOME", "/opt/cxr-cluster")) / "bin"
    program = shutil.which("promtool", path=os.pathsep.join([os.environ.get("PATH", ""), str(built)]))
    if program is None:
        pytest.skip("promtool is neither in PATH nor in $CLUSTER_HOME/bin")

    def run(*arguments: str | Path) -> str:
        command = [program, *map(str, arguments)]
        ran = subprocess.run(command, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert ran.returncode == 0, ran.stdout
        return ran.stdout

    return run


@pytest.fixture(scope="session")
def alerts() -> list[dict[str, Any]]:
    """The rules, in the file's order."""
    content = yaml.safe_load((ROOT / "helm" / "alerts" / "cxr-train.yaml").read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def dashboards() -> dict[str, dict[str, Any]]:
    """The checked-in dashboards by the name of their file."""
    return {each.stem: json.loads(each.read_text()) for each in sorted((ROOT / "helm" / "dashboards").glob("*.json"))}


@pytest.fixture(scope="session")
def unknown_names() -> Callable[[str], set[str]]:
    """The series that an expression asks for and that neither the catalog nor another exporter's list has."""
    return lambda expression: _series(expression) - _KNOWN


_KUBE_STATE_METRICS = {
    "kube_job_failed",
    "kube_job_status_active",
    "kube_job_status_failed",
    "kube_job_status_succeeded",
}
_DCGM = {
    *("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP"),
    *("DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_XID_ERRORS", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"),
}
_OWN = {
    f"{metric.name}{suffix}"
    for metric in METRICS
    for suffix in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}
_KNOWN = _OWN | _KUBE_STATE_METRICS | _DCGM
_WORDS = {"and", "or", "unless", "offset", "bool", "Inf", "NaN"}


def _series(expression: str) -> set[str]:
    """Every word that is no function, no operator and no label."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\boffset\s+\w+", "", bare)
    return {found[1] for found in re.finditer(r"\b([A-Za-z_]\w*)\b(?!\s*\()", bare)} - _WORDS
