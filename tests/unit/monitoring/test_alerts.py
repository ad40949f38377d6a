"""Alerts: promtool fires each of them and keeps each silent, and whoever is woken finds an entry in the runbook."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "helm" / "alerts" / "cxr-train.yaml"
TESTS = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
HEADINGS = re.findall(r"^## (CxrTrain\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)


def test_promtool_accepts_the_rules(promtool):
    assert "SUCCESS: 12 rules found" in promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS)


@pytest.mark.parametrize("file", TESTS, ids=lambda each: each.stem)
def test_an_alert_fires_when_it_should_and_only_then(promtool, file):
    assert "SUCCESS" in promtool("test", "rules", file)


def test_every_alert_is_fired_by_one_test_and_kept_silent_by_another(alerts):
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    for alert in alerts:
        asked = [
            [bool(each.get("exp_alerts")) for each in test["alert_rule_test"] if each["alertname"] == alert["alert"]]
            for test in tests
        ]
        assert any(True in each for each in asked), f"no test fires {alert['alert']}"
        assert any(each and True not in each for each in asked), f"no test keeps {alert['alert']} silent"


def test_alerts_and_runbook_entries_are_the_same_in_the_same_order(alerts):
    assert [each["alert"] for each in alerts] == HEADINGS


def test_every_alert_says_how_bad_it_is_what_it_saw_and_where_to_read_on(alerts):
    for alert in alerts:
        assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
        assert "{{ $labels.namespace }}/{{ $labels.job_name }}" in alert["annotations"]["summary"]
        assert "$value" in alert["annotations"]["description"] or alert["alert"] == "CxrTrainJobFailed"
        assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_alerts_ask_only_for_series_that_exist(alerts, unknown_names):
    assert {each["alert"]: unknown_names(each["expr"]) for each in alerts if unknown_names(each["expr"])} == {}


def test_a_misspelt_series_is_found(unknown_names):
    assert unknown_names('max by (rank) (rate(cxr_train_film_total{a="b"}[5m])) > 2 and on (x) up') == {
        "cxr_train_film_total",
        "up",
    }


def test_every_entry_of_the_runbook_says_what_it_means_how_to_look_why_and_what_to_do():
    entries = re.split(r"^## ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    for entry in (each for each in entries if each.startswith("CxrTrain")):
        name = entry.split("\n")[0]
        for part in ("**Means.**", "**Look.**", "**Causes.**", "**Cure.**"):
            assert part in entry, f"{name} lacks {part}"
