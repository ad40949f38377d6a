"""The chart's PodMonitor brings the ranks' metrics into a real Prometheus."""

import time
from typing import Any

import pytest

from tests.e2e.conftest import ENDLESS, PATIENCE_SECONDS, Release, merged, run

PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/api/v1/query"


def test_metrics_of_every_rank_are_in_prometheus(release: Release) -> None:
    if not run("kubectl", "get", "crd", "podmonitors.monitoring.coreos.com", "--ignore-not-found"):
        pytest.skip("no Prometheus operator in this cluster")
    release.helm("install", merged(ENDLESS, {"podMonitor": {"enabled": True, "interval": "5s"}}))
    release.launcher_log().hears(r"step 5/")
    ranks = _asked(release, "cxr_train_films_total", wanted=2)
    assert {each["metric"]["rank"] for each in ranks} == {"0", "1"}
    assert {each["metric"]["pod"] for each in ranks} == {release.worker(0), release.worker(1)}
    (step,) = _asked(release, "cxr_train_step", wanted=1)
    assert float(step["value"][1]) > 0
    assert (step["metric"]["release"], step["metric"]["job_name"]) == (release.name, release.job_name)
    (wanted,) = _asked(release, "cxr_train_world_size_wanted", wanted=1)
    assert wanted["value"][1] == "2"


def _asked(release: Release, metric: str, wanted: int) -> list[dict[str, Any]]:
    """Asks until so many series are there: Prometheus tells nobody that it has found a pod."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        query = f'{metric}{{namespace="{release.namespace}"}}'
        found = release.cluster.read(PROMETHEUS, query=query)["data"]["result"]
        if len(found) >= wanted:
            return list(found)
        assert time.monotonic() < deadline, f"{metric}: {found}"
        time.sleep(2)
