"""What Prometheus and Grafana are handed: every worker's metrics, the alerts and the dashboards, as their files say."""

import json
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "helm"


def test_every_worker_is_scraped_and_its_release_and_job_are_known(rendered: Any) -> None:
    monitor = rendered["everything"].one("PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"] == {
        "jobLabel": "app.kubernetes.io/name",
        "selector": {
            "matchLabels": {
                "app.kubernetes.io/name": "cxr-train",
                "app.kubernetes.io/instance": "cxr-train",
                "app.kubernetes.io/component": "worker",
            }
        },
        "podMetricsEndpoints": [
            {
                "port": "metrics",
                "interval": "15s",
                "relabelings": [
                    {
                        "sourceLabels": ["__meta_kubernetes_pod_label_app_kubernetes_io_instance"],
                        "targetLabel": "release",
                    },
                    {
                        "sourceLabels": ["__meta_kubernetes_pod_label_training_kubeflow_org_job_name"],
                        "targetLabel": "job_name",
                    },
                ],
            }
        ],
    }
    labels = rendered["everything"].pods["worker"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_alerts_are_those_of_the_files_with_the_users_labels_and_runbook(render: Any) -> None:
    given = {"enabled": True, "alertLabels": {"team": "radiology"}, "runbookUrl": "https://wiki.example/runbook"}
    rule = render({"prometheusRule": given}).one("PrometheusRule")
    written = [
        rule for file in sorted((CHART / "alerts").glob("*.yaml")) for rule in rules(yaml.safe_load(file.read_text()))
    ]
    found = rules(rule["spec"])
    assert [each.get("alert") for each in found] == [each.get("alert") for each in written]
    for each, source in zip(found, written, strict=True):
        assert each["expr"] == source["expr"]
        if "alert" in each:
            assert each["labels"] == {**source["labels"], "team": "radiology"}
            anchor = source["annotations"]["runbook_url"].partition("#")[2]
            assert each["annotations"]["runbook_url"] == f"https://wiki.example/runbook#{anchor}"
            assert each["annotations"]["summary"] == source["annotations"]["summary"]


def test_dashboards_are_those_of_the_files_with_the_sidecars_label(render: Any) -> None:
    release = render({"grafanaDashboard": {"enabled": True, "annotations": {"grafana_folder": "Training"}}})
    maps = [each for each in release.all("ConfigMap") if "-dashboard-" in each["metadata"]["name"]]
    files = sorted((CHART / "dashboards").glob("*.json"))
    assert len(maps) == len(files)
    for found, file in zip(sorted(maps, key=lambda each: str(each["data"])), files, strict=True):
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert found["metadata"]["annotations"] == {"grafana_folder": "Training"}
        assert json.loads(found["data"][f"cxr-train-{file.name}"]) == json.loads(file.read_text())


def rules(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in spec["groups"] for rule in group["rules"]]
