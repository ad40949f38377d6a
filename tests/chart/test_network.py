"""NetworkPolicies: who may talk to whom."""

from typing import Any

import pytest

RELEASE = {"app.kubernetes.io/name": "cxr-train", "app.kubernetes.io/instance": "cxr-train"}
RANKS = {"podSelector": {"matchLabels": RELEASE}}
NAMES = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


@pytest.fixture
def policies(render: Any) -> Any:
    def policies(**given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        release = render({"networkPolicy": {"enabled": True, **given}})
        return release.one("NetworkPolicy", "-ranks")["spec"], release.one("NetworkPolicy", "-launcher")["spec"]

    return policies


def test_ranks_reach_ranks_names_and_the_store(policies: Any) -> None:
    assert policies()[0] == {
        "podSelector": {"matchLabels": RELEASE},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [RANKS]}],
        "egress": [{"to": [RANKS]}, NAMES, {"ports": [{"port": 443, "protocol": "TCP"}]}],
    }


def test_only_the_launcher_and_the_test_reach_the_api_server(policies: Any) -> None:
    components = {"key": "app.kubernetes.io/component", "operator": "In", "values": ["launcher", "test"]}
    assert policies(apiServerPorts=[6443])[1] == {
        "podSelector": {"matchLabels": RELEASE, "matchExpressions": [components]},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": 6443, "protocol": "TCP"}]}],
    }


def test_metrics_are_open_to_those_named(policies: Any) -> None:
    prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert policies(metricsFrom=[prometheus])[0]["ingress"] == [
        {"from": [RANKS]},
        {"from": [prometheus], "ports": [{"port": "metrics", "protocol": "TCP"}]},
    ]


def test_the_store_can_be_narrowed_or_shut(policies: Any) -> None:
    store = {"ipBlock": {"cidr": "10.0.0.7/32"}}
    narrow = policies(storePorts=[9000], storeTo=[store])[0]["egress"]
    assert narrow == [{"to": [RANKS]}, NAMES, {"ports": [{"port": 9000, "protocol": "TCP"}], "to": [store]}]
    assert policies(storePorts=[])[0]["egress"] == [{"to": [RANKS]}, NAMES]


def test_more_can_be_let_out(policies: Any) -> None:
    more = {"to": [{"ipBlock": {"cidr": "169.254.169.252/32"}}], "ports": [{"port": 988}]}
    assert policies(extraEgress=[more])[0]["egress"][-1] == more


def test_every_pod_of_the_release_is_meant(rendered: Any) -> None:
    for pod in rendered["everything"].pods.values():
        assert RELEASE.items() <= pod["metadata"]["labels"].items()
