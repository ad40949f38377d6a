"""Every object that comes of the defaults, the presets and of everything at once is one that a cluster takes."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

Tree = dict[str, Any]

KUBERNETES = "1.37"
CUSTOM = yaml.safe_load((Path(__file__).parent / "types.yaml").read_text())
VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]


def test_no_preset_is_left_out(variants: dict[str, Tree]) -> None:
    assert set(variants) == set(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_is_valid(rendered: dict[str, Any], variant: str) -> None:
    for each in rendered[variant].objects:
        check(each)


@pytest.mark.parametrize("word", ["true", "null", "on", "007", "1.2", "1e3"])
def test_a_word_that_yaml_takes_for_something_else_stays_a_word(render: Any, word: str) -> None:
    values = {
        "data": {"existingClaim": word, "subPath": word},
        "cache": {"existingClaim": word},
        "checkpoint": {"persistence": {"enabled": True, "storageClass": word}},
        "existingSecret": word,
        "prepare": {"enabled": True},
        "serviceAccount": {"annotations": {"role": word}},
        "podLabels": {"team": word},
        "nodeSelector": {"pool": word},
        **dict.fromkeys(("priorityClassName", "runtimeClassName", "schedulerName"), word),
        "kueue": {"queueName": word, "priorityClass": word},
        "training": {"data": {"training": "/data/set/training"}, "prepare": {"destination": "/data/set"}},
    }
    release = render(values, name=word, namespace=word)
    for each in release.objects:
        check(each)
        assert each["metadata"]["namespace"] == word
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == word
    assert release.job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == word


def test_an_invalid_object_would_be_found(rendered: dict[str, Any]) -> None:
    job = rendered["cpu"].job
    spec = job["spec"] | {"slotPerWorker": 1}
    with pytest.raises(jsonschema.ValidationError, match="slotPerWorker"):
        check(job | {"spec": spec})
    account = rendered["cpu"].one("ServiceAccount", "-worker")
    with pytest.raises(kubernetes_validate.ValidationError, match="automount"):
        check(account | {"automountToken": False})


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_object_says_what_it_belongs_to(rendered: dict[str, Any], variant: str) -> None:
    for each in rendered[variant].objects:
        assert each["metadata"]["namespace"] == "films"
        assert (
            each["metadata"]["labels"].items()
            >= {
                "app.kubernetes.io/name": "cxr-train",
                "app.kubernetes.io/instance": "cxr-train",
                "app.kubernetes.io/version": "0.1.0",
                "app.kubernetes.io/managed-by": "Helm",
            }.items()
        )


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_two_objects_have_one_name(rendered: dict[str, Any], variant: str) -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered[variant].objects]
    assert len(names) == len(set(names))


def test_nothing_optional_comes_by_itself(rendered: dict[str, Any]) -> None:
    assert sorted(each["kind"] for each in rendered["defaults"].objects) == [
        "ConfigMap",
        "ConfigMap",
        "MPIJob",
        "Pod",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "ServiceAccount",
    ]


def check(each: Tree) -> None:
    """Raises a ValidationError for an object that the API would refuse, or take with a key lost."""
    if each["kind"] in CUSTOM:
        jsonschema.validate(each["spec"], CUSTOM[each["kind"]])
    else:
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    if each["kind"] == "MPIJob":
        for replica in each["spec"]["mpiReplicaSpecs"].values():
            template = {"apiVersion": "v1", "kind": "PodTemplate", "template": replica["template"]}
            kubernetes_validate.validate(template, KUBERNETES, strict=True)
