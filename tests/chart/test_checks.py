"""What cannot work is refused before anything is made, in a line that says the cure; what may work is let through."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import helm_python
import pytest

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = ("v1", "v1/Pod")
MPI = (*CLUSTER, "kubeflow.org/v2beta1", "kubeflow.org/v2beta1/MPIJob")


def test_without_the_mpi_operator_helm_says_what_to_install(render: Any) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=r"no MPIJob of kubeflow.org/v2beta1.*kubectl apply"):
        render(api=CLUSTER)


def test_an_mpijob_of_another_version_will_not_do(render: Any) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=r"no MPIJob of kubeflow.org/v2beta1"):
        render(api=(*CLUSTER, "kubeflow.org/v1/MPIJob"))


@pytest.mark.parametrize(("value", "kind"), [("podMonitor", "PodMonitor"), ("prometheusRule", "PrometheusRule")])
def test_without_the_prometheus_operator_helm_says_so(render: Any, value: str, kind: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=f"no {kind} .* leave {value}.enabled false"):
        render({value: {"enabled": True}}, api=MPI)
    assert render({value: {"enabled": True}}, api=(*MPI, f"monitoring.coreos.com/v1/{kind}")).all(kind)


def test_without_a_cluster_everything_renders(render: Any) -> None:
    assert render({"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}).job


@pytest.mark.parametrize(
    ("values", "cure"),
    [
        ({"data": {"existingClaim": "films"}}, "data.existingClaim is 'films'.*--set training.data.training="),
        (
            {"training": {"data": {"training": "/data/nih/training"}}},
            "nothing is mounted at /data: set data.existingClaim",
        ),
        ({"training": {"prepare": {"source": ["/films"]}}}, "training.prepare names films.*set training.data.training"),
        (
            {
                "prepare": {"enabled": True},
                "data": {"existingClaim": "a"},
                "training": {"data": {"training": "/data/a"}},
            },
            "training.prepare.destination is empty: name the folder",
        ),
        (
            {
                "prepare": {"enabled": True},
                "training": {"data": {"training": "/films/a"}, "prepare": {"destination": "/films"}},
            },
            "ends with the pod that fills it: set data.existingClaim",
        ),
        (
            {
                "prepare": {"enabled": True, "workers": 2},
                "training": {
                    "data": {"training": "s3://a/training"},
                    "prepare": {"destination": "s3://a", "workers": 3},
                },
            },
            "training.prepare.workers is 3, but the Job has 2 pods: set prepare.workers",
        ),
        (
            {
                "prepare": {"enabled": True},
                "training": {
                    "data": {"training": "s3://a/training"},
                    "prepare": {"destination": "s3://a", "worker": 0},
                },
            },
            "training.prepare.worker is 0, but each pod of the Job has a number of its own",
        ),
        (
            {"training": {"checkpoint": {"directory": "runs/a"}}},
            "training.checkpoint.directory is 'runs/a'.*start it with /",
        ),
        (
            {"training": {"trackers": {"tensorboard": {"directory": "board"}}}},
            "training.trackers.tensorboard.directory is 'board'.*start it with / or with a store's address",
        ),
        (
            {"training": {"trackers": {"mlflow": {"address": "mlruns"}}}},
            "training.trackers.mlflow.address is 'mlruns'.*start it with / or with a server's address",
        ),
        (
            {"mlflow": {"existingSecret": "tracking"}},
            "mlflow.existingSecret is 'tracking', but training.trackers.mlflow.address names no server",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(render: Any, values: dict[str, Any], cure: str) -> None:
    with pytest.raises(helm_python.HelmRenderError, match=cure):
        render(values)


def test_films_on_a_volume_of_the_users_own_are_let_through(render: Any) -> None:
    values = {
        "training": {"data": {"training": "/data/nih/training"}},
        "extraVolumes": [{"name": "films", "nfs": {"server": "nas", "path": "/films"}}],
        "extraVolumeMounts": [{"name": "films", "mountPath": "/data/nih"}],
    }
    assert "initContainers" not in render(values).pods["worker"]["spec"]


def test_a_value_that_is_gone_says_what_replaced_it(render: Any, tmp_path: Path) -> None:
    chart = tmp_path / "helm"
    shutil.copytree(ROOT / "helm", chart)
    (chart / "removed.yaml").write_text("gpus: set workers.gpusPerWorker\nworkers.replicas: set workers.count\n")
    subprocess.run([sys.executable, "-m", "helm.generate"], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(helm_python.HelmRenderError, match=r"gpus is gone: set workers\.gpusPerWorker"):
        render({"gpus": 2}, chart=chart)
    with pytest.raises(helm_python.HelmRenderError, match=r"workers\.replicas is gone: set workers\.count"):
        render({"workers": {"replicas": 0}}, chart=chart)
    assert render(chart=chart).job
