"""The schema of the values: a typo is an error, in the chart's own keys, the trainer's and Kubernetes'."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_python import HelmValuesError

from trainer.settings import keys

ROOT = Path(__file__).resolve().parents[2]
VALUES = yaml.safe_load((ROOT / "helm" / "values.yaml").read_text())


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"worker": {}}, "'worker' not allowed"),
        ({"workers": {"gpuPerWorker": 1}}, "'gpuPerWorker' not allowed"),
        ({"workers": {"count": 0}}, "/workers/count"),
        ({"workers": {"count": "two"}}, "/workers/count"),
        ({"workers": {"resources": {"request": {}}}}, "'request' not allowed"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
        ({"checkpoint": {"persistance": {}}}, "'persistance' not allowed"),
        ({"checkpoint": {"persistence": {"accessModes": ["ReadWriteMay"]}}}, "/checkpoint/persistence/accessModes"),
        ({"affinity": {"nodeAffinty": {}}}, "'nodeAffinty' not allowed"),
        ({"affinity": {"nodeAffinity": {"required": {}}}}, "'required' not allowed"),
        ({"tolerations": [{"ky": "a"}]}, "'ky' not allowed"),
        ({"extraEnv": [{"nam": "A"}]}, "extraEnv"),
        ({"extraVolumes": [{"name": "a", "emptydir": {}}]}, "'emptydir' not allowed"),
        ({"podSecurityContext": {"runAsRoot": True}}, "'runAsRoot' not allowed"),
        ({"networkPolicy": {"metricsFrom": [{"namespace": "monitoring"}]}}, "'namespace' not allowed"),
        ({"schedulingPolicy": {"minAvailble": 3}}, "'minAvailble' not allowed"),
        ({"podMonitor": {"interval": "often"}}, "/podMonitor/interval"),
        ({"fullnameOverride": "A_b"}, "/fullnameOverride"),
        ({"training": {"trian": {}}}, "'trian' not allowed"),
        ({"training": {"train": {"epoch": 3}}}, "'epoch' not allowed"),
        ({"training": {"train": {"epochs": 0}}}, "/training/train/epochs"),
        ({"training": {"optimizer": {"schedule": {"name": "cosin"}}}}, "/training/optimizer/schedule/name"),
    ],
)
def test_a_typo_is_an_error_that_names_it(render: Any, values: dict[str, Any], where: str) -> None:
    with pytest.raises(HelmValuesError) as error:
        render(values)
    assert where in str(error.value)


def test_every_value_is_known_and_every_known_one_has_a_default(schema: dict[str, Any]) -> None:
    known = {key for key in chart_keys(schema) if not key.startswith(("training.", "schedulingPolicy.", "global"))}
    assert known == set(leaves(VALUES, known))


def test_every_setting_of_the_trainer_is_known(schema: dict[str, Any]) -> None:
    definitions = schema["$defs"]
    for key in keys():
        node = schema["properties"]["training"]
        for part in key.split("."):
            node = node["properties"][part]
            node = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else node
        assert node.get("description"), key


def test_what_is_generated_is_as_its_sources_say() -> None:
    """If this fails: make chart."""
    check = [sys.executable, "-m", "helm.generate", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_value_is_explained() -> None:
    from_comments = {
        line.split("`")[1] for line in (ROOT / "helm" / "README.md").read_text().splitlines() if "| `" in line
    }
    for leaf in leaves(VALUES, set()):
        assert any(leaf == key or leaf.startswith(f"{key}.") for key in from_comments), leaf


def test_versions_are_one() -> None:
    chart = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text())
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{chart["appVersion"]}"' in project
    assert chart["version"] == chart["appVersion"]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "helm" / "values.schema.json").read_text()))


def chart_keys(node: dict[str, Any], prefix: str = "") -> set[str]:
    """The dotted keys that a schema lists, down to those that hold what is free or a type of Kubernetes."""
    found = set()
    for name, each in node["properties"].items():
        key = f"{prefix}{name}"
        found |= chart_keys(each, f"{key}.") if "properties" in each and name != "training" else {key}
    return found


def leaves(tree: dict[str, Any], closed: set[str], prefix: str = "") -> set[str]:
    """The dotted keys of values.yaml, down to values, empty mappings and those in ``closed``."""
    found = set()
    for name, each in tree.items():
        key = f"{prefix}{name}"
        if isinstance(each, dict) and each and key not in closed:
            found |= leaves(each, closed, f"{key}.")
        elif key != "schedulingPolicy":
            found.add(key)
    return found
