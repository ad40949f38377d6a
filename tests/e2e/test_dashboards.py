"""Dashboards and alerts against the Prometheus that scrapes a running job: every expression is asked, and answers.

Needs PROMETHEUS_URL: of one that takes every PodMonitor and PrometheusRule.
"""

import json
import os
import re
import time
import urllib.request
from pathlib import Path

import pytest

from docs.draw.prometheus import Prometheus
from helm.generate.dashboards.filled import filled, targets
from tests.e2e.conftest import ENDLESS, Release, merged
from trainer.telemetry import catalog

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

DASHBOARDS = Path(__file__).parents[2] / "helm" / "dashboards"
MONITORED = {
    "podMonitor": {"enabled": True, "interval": "5s"},
    "prometheusRule": {"enabled": True},
    "grafanaDashboard": {"enabled": True},
    "training": {"telemetry": {"phase_sample_steps": 4}},
}
OTHERS = ("kube_job_", "DCGM_FI_")
"""What other exporters serve, which need not be there."""


@pytest.fixture(scope="module")
def prometheus():
    if "PROMETHEUS_URL" not in os.environ:
        pytest.skip("PROMETHEUS_URL is not set")
    return Prometheus(os.environ["PROMETHEUS_URL"])


@pytest.fixture(scope="module")
def job(prometheus, make_namespace):
    """Labels of a job that trains, once it has validated, saved, timed phases, and been scraped again since."""
    release = Release(make_namespace())
    release.helm("install", merged(ENDLESS, MONITORED))
    try:
        yield _answered(prometheus, release)
    finally:
        release.end()


def _answered(prometheus, release):
    told = (catalog.VALIDATION_AUROC_MEAN, catalog.CHECKPOINT_SECONDS, catalog.LAST_COMPUTE_SECONDS)
    seen = [f'{catalog.TRAINING.name}{{namespace="{release.namespace}"}} == 1', *(each.name for each in told)]
    # The first scrape may come when all of that is there already, and one sample of a counter has no rate.
    seen += [f'rate({each}{{rank="{rank}"}}[1m])' for each in _counters() for rank in range(2)]
    asked = " and on (namespace, release, job_name) ".join(seen)
    for _ in range(120):
        found = prometheus.at(asked, time.time())
        if found:
            return found[0].labels
        time.sleep(5)
    pytest.fail(f"no job answered within ten minutes to: {asked}")


def _counters():
    """Whose rates the dashboards show."""
    text = "".join(each.read_text() for each in DASHBOARDS.glob("*.json"))
    return sorted(set(re.findall(r"(?:rate|increase)\((cxr_train_\w+)", text)))


@pytest.mark.parametrize("name", ["training", "fleet"])
def test_every_expression_of_a_dashboard_is_answered_while_a_job_trains(prometheus, job, name):
    variables = {"namespace": job["namespace"], "release": job["release"], "job": job["job_name"]}
    silent = []
    for panel, target in targets(filled(DASHBOARDS / f"{name}.json", variables, rate_interval="1m")):
        found = prometheus.at(target["expr"], time.time())
        if not found and not any(each in target["expr"] for each in OTHERS):
            silent.append(f"{panel['title']}: {target['expr']}")
    assert silent == [] or (name == "fleet" and all("too few ranks" in each for each in silent))


def test_every_rank_is_scraped_and_its_series_say_whose_they_are(prometheus, job):
    of_the_job = f'{{job_name="{job["job_name"]}"}}'
    films = prometheus.at(catalog.FILMS.name + of_the_job, time.time())
    assert {each.labels["rank"] for each in films} == {"0", "1"}
    assert {each.labels["pod"] for each in films} == {f"{job['job_name']}-worker-{index}" for index in range(2)}
    assert {"namespace", "release", "job_name", "pod", "rank"} <= set(films[0].labels)
    (wanted,) = prometheus.at(catalog.WORLD_SIZE_WANTED.name + of_the_job, time.time())
    assert wanted.values[0] == 2


def test_the_alerts_are_loaded_evaluate_and_are_silent_about_a_healthy_job(prometheus, job):
    with urllib.request.urlopen(f"{prometheus.url}/api/v1/rules?type=alert", timeout=60) as answer:  # noqa: S310 - the user's own server
        groups = json.load(answer)["data"]["groups"]
    rules = [rule for group in groups if group["name"] == "cxr-train" for rule in group["rules"]]
    assert len(rules) >= 10
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
    firing = [
        alert["labels"]
        for rule in rules
        for alert in rule["alerts"]
        if alert["state"] == "firing" and alert["labels"].get("job_name") == job["job_name"]
    ]
    assert [each["alertname"] for each in firing if each["severity"] == "critical"] == []
