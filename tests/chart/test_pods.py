"""What runs: the launcher and the workers, their commands, ranks, devices, volumes and places."""

from typing import Any

import pytest
import yaml

from trainer import settings as trainers

Tree = dict[str, Any]

PREPARED: Tree = {
    "prepare": {"enabled": True},
    "training": {"data": {"training": "s3://films/set/training"}, "prepare": {"destination": "s3://films/set"}},
}
VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]
RANKS = {"defaults": (2, 1), "everything": (3, 2), "cpu": (2, 1), "gpu-node": (1, 4), "multi-node": (4, 8)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_job_is_run_as_the_program_expects(rendered: Any, variant: str) -> None:
    spec = rendered[variant].job["spec"]
    assert spec["sshAuthMountPath"] == "/etc/cxr-train-ssh"
    assert spec["mpiImplementation"] == "OpenMPI"
    assert spec["launcherCreationPolicy"] == "AtStartup"
    assert spec["runPolicy"]["cleanPodPolicy"] == "Running"
    assert spec["runPolicy"]["backoffLimit"] == 6
    assert {each["restartPolicy"] for each in spec["mpiReplicaSpecs"].values()} == {"Never"}
    assert spec["mpiReplicaSpecs"]["Launcher"]["replicas"] == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_pod_runs_its_command_on_the_settings(rendered: Any, variant: str) -> None:
    for component, verb in {"launcher": "launch", "worker": "work"}.items():
        container = rendered[variant].container(component)
        assert container["name"] == component
        assert container["command"] == ["cxr-train", verb, "--config", "/etc/cxr-train/config.yaml"]
        assert mounts(container)["/etc/cxr-train"] == "training"
        settings = volumes(rendered[variant].pods[component])["training"]["configMap"]["name"]
        assert settings == f"{rendered[variant].job_name}-training"


@pytest.mark.parametrize(("variant", "ranks"), RANKS.items())
def test_there_is_one_rank_a_gpu_or_as_many_as_asked(rendered: Any, variant: str, ranks: tuple[int, int]) -> None:
    workers, ranks_per_worker = ranks
    job = rendered[variant].job["spec"]
    assert job["mpiReplicaSpecs"]["Worker"]["replicas"] == workers
    assert job["slotsPerWorker"] == ranks_per_worker
    for component in ("launcher", "worker"):
        given = environment(rendered[variant].container(component))
        assert given["CXR_TRAIN_WORKERS"] == str(workers)
        assert given["CXR_TRAIN_RANKS_PER_WORKER"] == str(ranks_per_worker)


def test_ranks_on_cpu_are_as_many_as_asked(render: Any) -> None:
    spec = render({"workers": {"gpusPerWorker": 0, "ranksPerWorker": 3}}).job["spec"]
    assert spec["slotsPerWorker"] == 3


def test_gpus_are_asked_for_and_their_taint_is_tolerated(rendered: Any) -> None:
    release = rendered["gpu-node"]
    assert release.container("worker")["resources"]["limits"] == {"nvidia.com/gpu": 4, "memory": "128Gi"}
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert toleration in release.pods["worker"]["spec"]["tolerations"]


def test_only_the_ranks_get_devices(rendered: Any) -> None:
    for release in rendered.values():
        for component, pod in release.pods.items():
            others = pod["spec"].get("initContainers", []) + (
                pod["spec"]["containers"] if component != "worker" else []
            )
            assert "nvidia.com/gpu" not in str([each["resources"] for each in others])
            assert "rdma" not in str([each["resources"] for each in others])


def test_other_devices_stand_beside_the_gpus(rendered: Any) -> None:
    limits = rendered["everything"].container("worker")["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": 2, "rdma/ib": 1, "memory": "16Gi"}


def test_the_cpu_preset_fits_a_laptop(rendered: Any) -> None:
    release = rendered["cpu"]
    assert "nvidia.com/gpu" not in str(release.job)
    assert "tolerations" not in release.pods["worker"]["spec"]
    assert release.container("worker")["resources"]["requests"]["cpu"] == "500m"
    assert release.training["model"]["name"] == "resnet18"
    assert release.training["phantom"]["image_size"] == 64


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_worker_is_ready_when_its_sshd_listens(rendered: Any, variant: str) -> None:
    container = rendered[variant].container("worker")
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"ssh": 2222, "metrics": 9100}
    assert container["readinessProbe"] == {"tcpSocket": {"port": "ssh"}, "periodSeconds": 2}


def test_the_metrics_port_is_the_trainers(render: Any) -> None:
    release = render({"training": {"telemetry": {"port": 9200}}})
    assert {"name": "metrics", "containerPort": 9200} in release.container("worker")["ports"]
    assert release.training["telemetry"]["port"] == 9200


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_has_to_be_writable_is(rendered: Any, variant: str) -> None:
    pods = rendered[variant].pods
    for component in ("launcher", "worker"):
        found = mounts(rendered[variant].container(component))
        for path in ("/tmp", "/run/cxr-train", "/var/lib/extrausers"):  # noqa: S108
            assert volumes(pods[component])[found[path]]["emptyDir"] == {}
    worker = mounts(rendered[variant].container("worker"))
    assert volumes(pods["worker"])[worker["/dev/shm"]]["emptyDir"]["medium"] == "Memory"  # noqa: S108
    assert "/cache" in worker


def test_shared_memory_is_as_large_as_asked(render: Any) -> None:
    pod = render({"shm": {"sizeLimit": "8Gi"}}).pods["worker"]
    assert volumes(pod)["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "8Gi"}


@pytest.mark.parametrize(
    ("cache", "source"),
    [
        ({"sizeLimit": "9Gi"}, {"emptyDir": {"sizeLimit": "9Gi"}}),
        ({"existingClaim": "cache"}, {"persistentVolumeClaim": {"claimName": "cache"}}),
        ({"hostPath": "/var/cache/cxr"}, {"hostPath": {"path": "/var/cache/cxr", "type": "DirectoryOrCreate"}}),
    ],
)
def test_the_cache_lies_where_it_is_told(render: Any, cache: Tree, source: Tree) -> None:
    assert volumes(render({"cache": cache}).pods["worker"])["cache"] == source


@pytest.mark.parametrize("variant", ["defaults", "cpu", "gpu-node", "kueue"])
def test_without_films_each_worker_draws_and_prepares_the_same(rendered: Any, variant: str) -> None:
    pod = rendered[variant].pods["worker"]
    commands = [each["command"] for each in pod["spec"]["initContainers"]]
    config = ["--config", "/etc/cxr-train/config.yaml"]
    assert commands == [["cxr-train", "phantom", "/data/films", *config], ["cxr-train", "prepare", *config]]
    assert "emptyDir" in volumes(pod)["data"]
    for container in [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]:
        assert mounts(container)["/data"] == "data"


def test_films_in_a_claim_are_mounted_and_not_drawn(rendered: Any) -> None:
    pod = rendered["multi-node"].pods["worker"]
    assert "initContainers" not in pod["spec"]
    assert volumes(pod)["data"] == {"persistentVolumeClaim": {"claimName": "films"}}
    (mount,) = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["mountPath"] == "/data"]
    assert mount == {"name": "data", "mountPath": "/data", "readOnly": True}


@pytest.mark.parametrize("variant", ["s3", "gcs"])
def test_films_in_a_store_need_no_volume(rendered: Any, variant: str) -> None:
    pod = rendered[variant].pods["worker"]
    assert "initContainers" not in pod["spec"]
    assert not {"data", "checkpoints"} & set(volumes(pod))


def test_credentials_reach_who_reads_films_and_nobody_else(rendered: Any) -> None:
    for component in ("worker", "prepare"):
        assert rendered["everything"].container(component)["envFrom"] == [{"secretRef": {"name": "store"}}]
    for component in ("launcher", "test"):
        assert "envFrom" not in rendered["everything"].container(component)
    assert "envFrom" not in rendered["gcs"].container("worker")


def test_keys_of_other_names_become_the_variables_they_stand_for(render: Any) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "access-key", "MINIO_ROOT": "root"}
    release = render({"existingSecret": "minio", "existingSecretKeys": keys, **PREPARED})
    for component in ("worker", "prepare"):
        container = release.container(component)
        assert "envFrom" not in container
        assert [each for each in container["env"] if "secretKeyRef" in each.get("valueFrom", {})] == [
            {"name": name, "valueFrom": {"secretKeyRef": {"name": "minio", "key": key}}} for name, key in keys.items()
        ]
        assert environment(container)["CXR_TRAIN_PASS"] == "AWS_ACCESS_KEY_ID,MINIO_ROOT"
    assert not {*keys, "CXR_TRAIN_PASS"} & set(environment(release.container("launcher")))
    assert "secretKeyRef" not in str(render({"existingSecretKeys": keys}).objects)


TRACKED: Tree = {"trackers": {"mlflow": {"address": "https://mlflow.example"}}}


def test_the_mlflow_secret_is_the_ranks_alone(render: Any) -> None:
    training = {**PREPARED["training"], **TRACKED}
    release = render({**PREPARED, "training": training, "mlflow": {"existingSecret": "tracking"}})
    assert release.container("worker")["envFrom"] == [{"secretRef": {"name": "tracking"}}]
    for component in ("launcher", "prepare"):
        assert "envFrom" not in release.container(component)


def test_the_stores_secret_and_mlflows_are_both_the_ranks(render: Any) -> None:
    release = render({"training": TRACKED, "existingSecret": "store", "mlflow": {"existingSecret": "tracking"}})
    assert release.container("worker")["envFrom"] == [{"secretRef": {"name": name}} for name in ("store", "tracking")]
    assert "tracking" not in str(release.container("launcher"))


def test_variables_of_the_users_are_named_so_that_ranks_get_them(render: Any) -> None:
    extra = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "b"}}}]
    release = render({"extraEnv": extra})
    for component in ("launcher", "worker"):
        assert environment(release.container(component))["CXR_TRAIN_PASS"] == "A,B"
        assert release.container(component)["env"][-2:] == extra
    assert "CXR_TRAIN_PASS" not in environment(render().container("worker"))


def test_workload_identity_is_the_ranks(rendered: Any) -> None:
    account = rendered["gcs"].one("ServiceAccount", "-worker")
    assert account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].startswith("cxr-train@")
    assert "annotations" not in rendered["gcs"].one("ServiceAccount", "-launcher")["metadata"]
    assert rendered["gcs"].pods["worker"]["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_azures_webhook_finds_the_pods_that_read_films(render: Any) -> None:
    annotations = {"azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000000"}
    release = render({"serviceAccount": {"annotations": annotations}, **PREPARED})
    labels = {name: pod["metadata"]["labels"] for name, pod in release.pods.items()}
    assert [name for name, each in labels.items() if each.get("azure.workload.identity/use") == "true"] == [
        "worker",
        "prepare",
    ]
    for component in ("worker", "prepare"):
        account = release.one("ServiceAccount", "-worker")["metadata"]
        assert account["annotations"] == annotations
        assert release.pods[component]["spec"]["serviceAccountName"] == account["name"]


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({}, {"emptyDir": {}}),
        ({"enabled": True}, {"persistentVolumeClaim": {"claimName": "cxr-train-checkpoints"}}),
        ({"existingClaim": "runs"}, {"persistentVolumeClaim": {"claimName": "runs"}}),
    ],
)
def test_checkpoints_go_to_the_pod_or_to_a_claim(render: Any, values: Tree, source: Tree) -> None:
    release = render({"checkpoint": {"persistence": values}})
    assert volumes(release.pods["worker"])["checkpoints"] == source
    assert mounts(release.container("worker"))["/checkpoints"] == "checkpoints"
    assert bool(release.all("PersistentVolumeClaim")) == (values == {"enabled": True})


@pytest.mark.parametrize("persistence", [{}, {"enabled": True}, {"existingClaim": "runs"}])
def test_checkpoints_in_a_store_need_no_claim(render: Any, persistence: Tree) -> None:
    training = {"checkpoint": {"directory": "s3://runs/a"}}
    release = render({"checkpoint": {"persistence": persistence}, "training": training})
    assert not release.all("PersistentVolumeClaim")
    assert "checkpoints" not in volumes(release.pods["worker"])


def test_uninstalling_keeps_the_claim(render: Any) -> None:
    persistence = {"enabled": True, "storageClass": "nfs", "accessModes": ["ReadWriteOnce"], "size": "5Gi"}
    claim = render({"checkpoint": {"persistence": persistence}}).one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "5Gi"}},
    }


def test_pods_go_where_they_are_sent(rendered: Any) -> None:
    pods = {component: pod["spec"] for component, pod in rendered["everything"].pods.items()}
    worker = pods["worker"]
    assert worker["nodeSelector"] == {"pool": "gpu"}
    assert {"key": "team", "operator": "Equal", "value": "radiology"} in worker["tolerations"]
    assert "nodeAffinity" in worker["affinity"]
    assert worker["runtimeClassName"] == "nvidia"
    for other in ("launcher", "prepare", "test"):
        assert pods[other]["nodeSelector"] == {"pool": "small"}
        assert pods[other]["tolerations"] == [{"key": "small", "operator": "Exists"}]
        assert not {"affinity", "topologySpreadConstraints", "runtimeClassName"} & set(pods[other])
    for spec in pods.values():
        assert spec["priorityClassName"] == "training"
        assert spec["schedulerName"] == "volcano"
        assert spec["imagePullSecrets"] == [{"name": "registry"}]


def test_the_launcher_follows_the_workers_unless_told_otherwise(render: Any) -> None:
    launcher = render({"nodeSelector": {"pool": "a"}, "tolerations": [{"operator": "Exists"}]}).pods["launcher"]["spec"]
    assert launcher["nodeSelector"] == {"pool": "a"}
    assert launcher["tolerations"] == [{"operator": "Exists"}]


def test_spread_is_over_this_releases_workers(rendered: Any, render: Any) -> None:
    (constraint,) = rendered["multi-node"].pods["worker"]["spec"]["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"] == {
        "app.kubernetes.io/name": "cxr-train",
        "app.kubernetes.io/instance": "cxr-train",
        "app.kubernetes.io/component": "worker",
    }
    own = {**constraint, "labelSelector": {"matchLabels": {"mine": "yes"}}}
    assert render({"topologySpreadConstraints": [own]}).pods["worker"]["spec"]["topologySpreadConstraints"] == [own]


def test_queues_and_gangs(rendered: Any) -> None:
    job = rendered["everything"].job
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "training"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "high"
    assert job["spec"]["runPolicy"] == {
        "cleanPodPolicy": "Running",
        "backoffLimit": 6,
        "activeDeadlineSeconds": 86400,
        "ttlSecondsAfterFinished": 3600,
        "suspend": True,
        "schedulingPolicy": {"minAvailable": 4, "queue": "training", "minResources": {"cpu": "8"}},
    }


def test_suspending_is_left_to_kueue(rendered: Any) -> None:
    assert "suspend" not in rendered["kueue"].job["spec"]["runPolicy"]


def test_a_time_to_live_of_0_is_not_forgotten(render: Any) -> None:
    assert render({"ttlSecondsAfterFinished": 0}).job["spec"]["runPolicy"]["ttlSecondsAfterFinished"] == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_mesh_stands_between_the_ranks(rendered: Any, variant: str) -> None:
    for pod in rendered[variant].pods.values():
        assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"


@pytest.mark.parametrize("variant", VARIANTS)
def test_ranks_have_time_to_save_a_checkpoint(rendered: Any, variant: str) -> None:
    for component in ("launcher", "worker"):
        assert rendered[variant].pods[component]["spec"]["terminationGracePeriodSeconds"] >= 150


def test_the_users_own_things_reach_every_pod_that_runs_the_trainer(rendered: Any) -> None:
    for component in ("launcher", "worker", "prepare"):
        container = rendered["everything"].container(component)
        assert environment(container)["NCCL_DEBUG"] == "INFO"
        assert mounts(container)["/etc/ca"] == "ca"
        assert volumes(rendered["everything"].pods[component])["ca"] == {"secret": {"secretName": "ca"}}
        labels = rendered["everything"].pods[component]["metadata"]["labels"]
        assert labels["azure.workload.identity/use"] == "true"


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "localhost/cxr-train:0.1.0"),
        ({"repository": "registry.example/a", "tag": "dev"}, "registry.example/a:dev"),
        ({"tag": "dev", "digest": "sha256:" + "0" * 64}, "localhost/cxr-train@sha256:" + "0" * 64),
    ],
)
def test_all_containers_have_one_image(render: Any, image: Tree, reference: str) -> None:
    for pod in render({"image": image}).pods.values():
        for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            assert container["image"] == reference
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_films_are_prepared_before_the_launcher_starts(rendered: Any) -> None:
    release = rendered["everything"]
    job = release.one("Job")
    assert job["spec"]["completionMode"] == "Indexed"
    assert release.container("prepare")["command"][:2] == ["cxr-train", "prepare"]
    (mount,) = [each for each in release.container("prepare")["volumeMounts"] if each["mountPath"] == "/data"]
    assert mount == {"name": "data", "mountPath": "/data", "subPath": "chest", "readOnly": False}
    (wait,) = release.pods["launcher"]["spec"]["initContainers"]
    assert environment(wait)["CXR_TRAIN_PREPARE_JOB"] == job["metadata"]["name"]
    assert wait["command"][1] == "/etc/cxr-train-scripts/wait_for_films.py"
    assert "wait_for_films.py" in release.one("ConfigMap", "-scripts")["data"]


def test_many_pods_share_the_films_to_prepare(render: Any) -> None:
    prepare = {**PREPARED["prepare"], "workers": 3, "backoffLimit": 5}
    release = render({**PREPARED, "prepare": prepare})
    spec = release.one("Job")["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert (spec["backoffLimitPerIndex"], spec["maxFailedIndexes"], "backoffLimit" in spec) == (5, 0, False)
    settings = yaml.safe_load(release.one("ConfigMap", release.one("Job")["metadata"]["name"])["data"]["config.yaml"])
    assert trainers.validate(settings).prepare.workers == 3


def test_an_older_cluster_counts_the_pods_that_were_lost_together(render: Any) -> None:
    prepare = {**PREPARED["prepare"], "workers": 3, "backoffLimit": 5}
    spec = render({**PREPARED, "prepare": prepare}, kubernetes="v1.28.9").one("Job")["spec"]
    assert spec["backoffLimit"] == 15
    assert not {"backoffLimitPerIndex", "maxFailedIndexes"} & set(spec)


def test_what_prepare_cannot_cure_ends_its_job_and_a_lost_pod_is_followed_by_another(render: Any) -> None:
    evicted, wrong = render(PREPARED).one("Job")["spec"]["podFailurePolicy"]["rules"]
    assert evicted == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert wrong["action"] == "FailJob"
    assert wrong["onExitCodes"] == {"containerName": "prepare", "operator": "In", "values": list(range(1, 128))}


def test_prepare_reaches_the_store_as_the_ranks_do(render: Any) -> None:
    store = {"endpoint": "http://minio:9000", "region": "home"}
    release = render({**PREPARED, "training": {**PREPARED["training"], "store": store}})
    settings = yaml.safe_load(release.one("ConfigMap", release.one("Job")["metadata"]["name"])["data"]["config.yaml"])
    assert settings["store"] == release.training["store"] == store


def test_helm_test_runs_a_script_that_is_there(rendered: Any) -> None:
    release = rendered["defaults"]
    pod = release.pods["test"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert release.container("test")["command"][1] == "/etc/cxr-train-scripts/check_release.py"
    assert "check_release.py" in release.one("ConfigMap", "-scripts")["data"]
    assert environment(release.container("test"))["CXR_TRAIN_JOB"] == release.job_name


def test_a_disruption_budget_counts_the_jobs_own_workers(render: Any) -> None:
    release = render({"podDisruptionBudget": {"enabled": True}, "workers": {"count": 5}})
    assert release.one("PodDisruptionBudget")["spec"] == {
        "minAvailable": 5,
        "selector": {
            "matchLabels": {
                "training.kubeflow.org/job-name": release.job_name,
                "training.kubeflow.org/job-role": "worker",
            }
        },
    }


def environment(container: Tree) -> dict[str, str | None]:
    return {each["name"]: each.get("value") for each in container["env"]}


def mounts(container: Tree) -> dict[str, str]:
    return {each["mountPath"]: each["name"] for each in container["volumeMounts"]}


def volumes(pod: Tree) -> dict[str, Tree]:
    return {
        each["name"]: {key: value for key, value in each.items() if key != "name"} for each in pod["spec"]["volumes"]
    }
