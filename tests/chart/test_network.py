"""NetworkPolicies: who may talk to whom."""

from typing import Any

import pytest

RELEASE = {"app.kubernetes.io/name": "cxr-train", "app.kubernetes.io/instance": "cxr-train"}
RANKS = {"podSelector": {"matchLabels": RELEASE}}
NAMES = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


STORED = {"data": {"training": "s3://films/training"}, "checkpoint": {"directory": "s3://films/runs"}}


@pytest.fixture
def policies(render: Any) -> Any:
    def policies(training: dict[str, Any] | None = None, **given: Any) -> dict[str, dict[str, Any]]:
        release = render({"networkPolicy": {"enabled": True, **given}, "training": training or {}})
        found = release.all("NetworkPolicy")
        return {each["metadata"]["name"].removeprefix("cxr-train-"): each["spec"] for each in found}

    return policies


def test_ranks_reach_ranks_and_names(policies: Any) -> None:
    assert policies()["ranks"] == {
        "podSelector": {"matchLabels": RELEASE},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [RANKS]}],
        "egress": [{"to": [RANKS]}, NAMES],
    }


def test_the_store_is_let_through_for_those_who_read_and_write_it(policies: Any) -> None:
    components = {"key": "app.kubernetes.io/component", "operator": "In", "values": ["worker", "prepare"]}
    assert policies(STORED)["store"] == {
        "podSelector": {"matchLabels": RELEASE, "matchExpressions": [components]},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    }


def test_where_nothing_lies_in_a_store_none_is_let_through(policies: Any) -> None:
    assert set(policies()) == {"ranks", "launcher"}
    assert set(policies({"checkpoint": {"directory": "gs://runs/a"}})) == {"ranks", "store", "launcher"}


def test_films_to_be_prepared_from_a_store_are_let_through(render: Any) -> None:
    training = {
        "data": {"training": "/data/nih/training"},
        "prepare": {"source": ["/data/a", "s3://raw/nih"], "destination": "/data/nih"},
        "store": {"endpoint": "http://minio.minio.svc:9000"},
    }
    values = {"networkPolicy": {"enabled": True}, "data": {"existingClaim": "films"}, "training": training}
    assert not [each for each in render(values).all("NetworkPolicy") if each["metadata"]["name"].endswith("-store")]
    store = render({**values, "prepare": {"enabled": True}}).one("NetworkPolicy", "-store")["spec"]
    assert store["egress"] == [{"ports": [{"port": 9000, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("", 443),
        ("https://s3.example", 443),
        ("http://minio.minio.svc", 80),
        ("http://minio.minio.svc:9000", 9000),
        ("https://[2001:db8::1]:8443/", 8443),
    ],
)
def test_the_stores_port_is_its_endpoints(policies: Any, endpoint: str, port: int) -> None:
    found = policies({**STORED, "store": {"endpoint": endpoint}})["store"]["egress"]
    assert found == [{"ports": [{"port": port, "protocol": "TCP"}]}]


def test_the_store_can_be_narrowed(policies: Any) -> None:
    inside = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "minio"}}}
    addresses = {"ipBlock": {"cidr": "10.0.0.7/32"}}
    narrow = policies(STORED, store={"ports": [9000, 9001], "to": [inside, addresses]})["store"]["egress"]
    ports = [{"port": 9000, "protocol": "TCP"}, {"port": 9001, "protocol": "TCP"}]
    assert narrow == [{"ports": ports, "to": [inside, addresses]}]


TRACKED = {"trackers": {"mlflow": {"address": "http://mlflow.mlflow.svc:5000"}}}


def test_ranks_alone_reach_the_mlflow_server(policies: Any) -> None:
    assert policies(TRACKED)["mlflow"] == {
        "podSelector": {"matchLabels": {**RELEASE, "app.kubernetes.io/component": "worker"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 5000, "protocol": "TCP"}]}],
    }


@pytest.mark.parametrize("address", ["", "/checkpoints/mlruns"])
def test_where_no_server_is_named_none_is_let_through(policies: Any, address: str) -> None:
    assert "mlflow" not in policies({"trackers": {"mlflow": {"address": address}}})


def test_the_mlflow_server_can_be_narrowed(policies: Any) -> None:
    inside = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mlflow"}}}
    narrow = policies(TRACKED, mlflow={"ports": [8080], "to": [inside]})["mlflow"]["egress"]
    assert narrow == [{"ports": [{"port": 8080, "protocol": "TCP"}], "to": [inside]}]
    https = policies({"trackers": {"mlflow": {"address": "https://mlflow.example/"}}})["mlflow"]["egress"]
    assert https == [{"ports": [{"port": 443, "protocol": "TCP"}]}]


def test_event_files_in_a_store_let_it_through(policies: Any) -> None:
    assert "store" in policies({"trackers": {"tensorboard": {"directory": "s3://boards"}}})


def test_only_the_launcher_and_the_test_reach_the_api_server(policies: Any) -> None:
    components = {"key": "app.kubernetes.io/component", "operator": "In", "values": ["launcher", "test"]}
    assert policies(apiServerPorts=[6443])["launcher"] == {
        "podSelector": {"matchLabels": RELEASE, "matchExpressions": [components]},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 6443, "protocol": "TCP"}]}],
    }


def test_metrics_are_open_to_those_named(policies: Any) -> None:
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert policies(metricsFrom=[prometheus])["ranks"]["ingress"] == [
        {"from": [RANKS]},
        {"from": [prometheus], "ports": [{"port": "metrics", "protocol": "TCP"}]},
    ]


def test_more_can_be_let_out(policies: Any) -> None:
    more = {"to": [{"ipBlock": {"cidr": "169.254.169.252/32"}}], "ports": [{"port": 988}]}
    assert policies(extraEgress=[more])["ranks"]["egress"][-1] == more


def test_every_pod_of_the_release_is_meant(rendered: Any) -> None:
    for pod in rendered["everything"].pods.values():
        assert RELEASE.items() <= pod["metadata"]["labels"].items()
