"""Names that the operator and the cluster's DNS give."""

import pytest

from k8s.place import from_environment
from trainer.errors import ClusterError

POD = {
    "CXR_TRAIN_JOB": "chest-1",
    "CXR_TRAIN_RELEASE": "chest",
    "CXR_TRAIN_NAMESPACE": "films",
    "CXR_TRAIN_POD": "chest-1-launcher-x",
    "CXR_TRAIN_WORKERS": "12",
    "CXR_TRAIN_RANKS_PER_WORKER": "4",
}


def test_a_pod_finds_its_place_in_its_environment():
    place = from_environment(POD)
    assert (place.workers, place.ranks_per_worker, place.launcher_job) == (12, 4, "chest-1-launcher")
    assert place.host(11) == "chest-1-worker-11.chest-1.films.svc"


def test_a_worker_is_known_by_its_name():
    place = from_environment(POD)
    assert place.index("chest-1-worker-11") == 11
    assert place.index("chest-1-launcher-abcde") is None
    assert place.index("chest-12-worker-1") is None


@pytest.mark.parametrize("name", sorted(POD))
def test_what_is_missing_is_named(name):
    with pytest.raises(ClusterError, match=rf"^{name}: '' is not set; .*helm install"):
        from_environment(POD | {name: ""})


def test_a_count_is_a_count():
    with pytest.raises(ClusterError, match="CXR_TRAIN_WORKERS: 'two' is not a count"):
        from_environment(POD | {"CXR_TRAIN_WORKERS": "two"})
