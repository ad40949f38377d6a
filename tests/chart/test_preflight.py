"""GPUs are looked for on the nodes before anything is made, by those who may, and only where some are asked for."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import helm_python
import pytest

CHART = Path(__file__).resolve().parents[2] / "helm"


def test_gpus_that_no_node_has_are_refused(api: type["Api"]) -> None:
    api.nodes = [node(cpu="8")]
    with pytest.raises(helm_python.HelmError, match=r"no node of this cluster offers nvidia.com/gpu.*presets/cpu.yaml"):
        install()


def test_gpus_are_looked_for_by_the_name_that_is_asked_for(api: type["Api"]) -> None:
    api.nodes = [node(**{"nvidia.com/gpu": "4"})]
    with pytest.raises(helm_python.HelmError, match=r"no node of this cluster offers amd\.com/gpu"):
        install({"workers": {"gpuResource": "amd.com/gpu"}})


@pytest.mark.parametrize("resources", [[{"nvidia.com/gpu": "0"}, {"nvidia.com/gpu": "8"}], []])
def test_gpus_that_a_node_has_or_that_cannot_be_counted_are_let_through(api: type["Api"], resources: Any) -> None:
    api.nodes = [node(**each) for each in resources]
    install()
    assert "/api/v1/nodes" in api.asked


@pytest.mark.parametrize("values", [{"preflight": {"gpus": False}}, {"workers": {"gpusPerWorker": 0}}])
def test_nobody_looks_at_nodes_where_it_is_off_or_no_gpu_is_asked_for(api: type["Api"], values: dict[str, Any]) -> None:
    api.nodes = None
    install(values)
    assert "/api/v1/nodes" not in api.asked


def test_who_may_not_list_nodes_is_told_the_way_out(api: type["Api"]) -> None:
    api.nodes = None
    with pytest.raises(helm_python.HelmError, match=r"--set preflight.gpus=false.*nodes is forbidden"):
        install()


class Api(BaseHTTPRequestHandler):
    """As much of an API server as Helm asks before it makes anything: types, and nodes (None: may not be listed)."""

    nodes: ClassVar[list[dict[str, Any]] | None] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        type(self).asked.append(path)
        if path == "/api/v1/nodes" and self.nodes is None:
            self._say(403, {**STATUS, "reason": "Forbidden", "code": 403, "message": "nodes is forbidden: no right"})
        elif path == "/api/v1/nodes":
            self._say(200, {"kind": "NodeList", "apiVersion": "v1", "items": self.nodes})
        elif path in DISCOVERY:
            self._say(200, DISCOVERY[path])
        else:
            self._say(404, {**STATUS, "reason": "NotFound", "code": 404})

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""

    def _say(self, code: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Api]]:
    Api.nodes, Api.asked[:] = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = {"server": f"http://127.0.0.1:{server.server_address[1]}"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": address}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield Api
    server.shutdown()
    thread.join()
    server.server_close()


def install(values: dict[str, Any] | None = None) -> None:
    """As far as `helm install --dry-run=server` gets: once all is rendered it asks for OpenAPI, which is not here."""
    with helm_python.Config(kubeconfig_path=os.environ["KUBECONFIG"], namespace="films") as config:
        try:
            config.install(str(CHART), "cxr-train", values, dry_run="server")
        except helm_python.HelmReleaseError as error:
            if "failed to download openapi" not in str(error):
                raise


def node(**resources: str) -> dict[str, Any]:
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n"}, "status": {"allocatable": resources}}


STATUS = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}


def kinds(version: str, **plurals: str) -> dict[str, Any]:
    resources = [
        {
            "name": plural,
            "singularName": "",
            "kind": kind,
            "namespaced": kind != "Node",
            "verbs": ["get", "list", "create"],
        }
        for kind, plural in plurals.items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


DISCOVERY = {
    "/version": {"major": "1", "minor": "37", "gitVersion": "v1.37.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": kinds("v1", Pod="pods", Node="nodes", ConfigMap="configmaps", ServiceAccount="serviceaccounts"),
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group("kubeflow.org", "v2beta1"), group("rbac.authorization.k8s.io", "v1")],
    },
    "/apis/kubeflow.org/v2beta1": kinds("kubeflow.org/v2beta1", MPIJob="mpijobs"),
    "/apis/rbac.authorization.k8s.io/v1": kinds(
        "rbac.authorization.k8s.io/v1", Role="roles", RoleBinding="rolebindings"
    ),
}
