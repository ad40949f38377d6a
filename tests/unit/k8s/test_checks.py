"""What the doctor finds in a cluster, each with its cure."""

import math

import pytest

from k8s import checks
from k8s.finding import Finding

DEFAULTS = {"train.global_batch_size": 32, "prepare.image_size": 224}


def node(name: str = "n", *, gpus: int = 0, cpu: str = "8", memory: str = "32Gi", unschedulable: bool = False) -> dict:
    offer = {"cpu": cpu, "memory": memory} | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    spec = {"unschedulable": True} if unschedulable else {}
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": offer}}


def values(count: int = 2, gpus: int = 0, **more: object) -> dict:
    return {"workers": {"count": count, "gpusPerWorker": gpus, "ranksPerWorker": 1, **more}}


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("4Gi", 4 * 2**30), ("2", 2), (2, 2), ("1.5G", 1.5e9), ("128Mi", 2**27)]
)
def test_quantities(text, number):
    assert checks.quantity(text) == pytest.approx(number)


def test_what_is_no_quantity_is_no_number():
    assert math.isnan(checks.quantity("many"))


def test_an_old_api_server_is_noted():
    assert checks.api("v1.35.6").level == "good"
    assert checks.api("v1.24.17-gke.1").level == "note"


def test_a_cluster_without_mpijobs_says_what_to_install():
    found = checks.mpijob_type(None)
    assert found.level == "blocking"
    assert "MPI operator" in found.cure
    assert checks.mpijob_type({"versions": [{"version": "v1"}]}).level == "blocking"
    assert checks.mpijob_type({"versions": [{"version": "v2beta1"}]}).level == "good"


def test_an_operator_that_starts_no_launcher_early_is_refused():
    assert checks.launcher_policy({"spec": {"launcherCreationPolicy": {}}}).level == "good"
    assert checks.launcher_policy({"spec": {}}).level == "blocking"
    assert checks.launcher_policy(None) is None


def test_missing_rights_are_listed():
    found = checks.rights(["mpijobs", "roles"])
    assert (found.level, "mpijobs, roles" in found.text) == ("blocking", True)


@pytest.mark.parametrize(
    ("nodes", "level", "text"),
    [
        ([node(gpus=4), node(gpus=4)], "good", "room for 2 workers of 4"),
        ([node(gpus=8)], "good", "room for 2 workers of 4"),
        (
            [node(gpus=4), node(gpus=3)],
            "blocking",
            "2 workers of 4 nvidia.com/gpu are asked for, nodes have room for 1",
        ),
        ([node(gpus=4), node(gpus=4, unschedulable=True)], "blocking", "nodes have room for 1"),
        ([node(), node()], "blocking", "no node offers nvidia.com/gpu"),
        (None, "note", "you may not list nodes, so nobody looked"),
    ],
)
def test_gpus_are_counted_by_node(nodes, level, text):
    found = checks.gpus(values(2, 4), nodes)
    assert found.level == level
    assert text in found.text
    assert found.cure or level == "good"


def test_a_job_without_gpus_asks_for_none():
    assert checks.gpus(values(2, 0), []).level == "good"


def test_a_worker_larger_than_any_node_is_refused():
    large = values(resources={"requests": {"cpu": "16", "memory": "1Gi"}})
    assert checks.cpu_and_memory(large, [node()]).cure == "lower workers.resources.requests.cpu"
    assert checks.cpu_and_memory(values(resources={"requests": {"cpu": "500m"}}), [node()]).level == "good"


def test_a_quota_that_is_too_small_says_how_much_is_left():
    quota = {
        "metadata": {"name": "team"},
        "status": {"hard": {"requests.nvidia.com/gpu": "4", "pods": "10"}, "used": {"requests.nvidia.com/gpu": "2"}},
    }
    found = list(checks.quota(values(2, 2), [quota]))
    assert [(each.level, each.text) for each in found] == [
        ("blocking", "team leaves 2 of requests.nvidia.com/gpu, the job needs 4")
    ]
    assert [each.level for each in checks.quota(values(1, 2), [quota])] == ["good"]


def test_monitoring_needs_its_types_only_where_it_is_asked_for():
    assert checks.pod_monitor({}, None) is None
    assert checks.pod_monitor({"podMonitor": {"enabled": True}}, None).level == "blocking"
    assert checks.pod_monitor({"podMonitor": {"enabled": True}}, {}).level == "good"


def test_shared_memory_grows_with_the_ranks_of_a_worker():
    wanted = values(1, 8, resources={"limits": {"memory": "16Gi"}}) | {"shm": {"sizeLimit": "256Mi"}}
    assert checks.shared_memory(wanted).cure == "set shm.sizeLimit to 512Mi or more"
    assert checks.shared_memory(wanted | {"shm": {"sizeLimit": "2Gi"}}).level == "good"
    assert checks.shared_memory(wanted | {"shm": {"sizeLimit": "12Gi"}}).level == "note"


def test_a_batch_that_the_ranks_do_not_divide_says_which_would():
    assert checks.batch(values(3), DEFAULTS) == Finding(
        "batch",
        "blocking",
        "32 films a batch are not divisible by 3 ranks",
        "set training.train.global_batch_size to 33",
    )
    assert checks.batch(values(2, 4), DEFAULTS).text == "4 films a rank and step"


def test_a_memory_limit_below_the_batch_is_noted_on_cpus():
    small, large = (values(1, resources={"limits": {"memory": each}}) for each in ("1Gi", "16Gi"))
    assert checks.memory(small, DEFAULTS).level == "note"
    assert checks.memory(large, DEFAULTS).level == "good"
    assert checks.memory(values(1, 1, resources={"limits": {"memory": "1Gi"}}), DEFAULTS) is None
