"""The API's answers as plain JSON, its refusals in one line: asked of a server that says what it is told to."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from k8s.client import KubernetesCluster
from trainer.errors import ClusterError


class Api:
    """A server, what it answers by method and path, and what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str, object]] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                api.asked.append((self.command, self.path, body))
                path = self.path.partition("?")[0] + ("?watch" if "watch=true" in self.path else "")
                status, data = api.answers.get((self.command, path), (404, b'{"message": "not found"}'))
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = do_DELETE = do_POST = answer  # noqa: N815 - the library's names

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, method: str, path: str, answer: object, status: int = 200) -> None:
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.answers[method, path] = (status, data)


@pytest.fixture
def api(monkeypatch, tmp_path: Path) -> Iterator[Api]:
    found = Api()
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{found.server.server_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "films"}}
    config = {
        "current-context": "c",
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def cluster(api: Api) -> Iterator[KubernetesCluster]:  # noqa: ARG001
    found = KubernetesCluster()
    yield found
    found._api.rest_client.pool_manager.clear()


PODS = "/api/v1/namespaces/films/pods"


def pod(name: str, version: str) -> dict:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": version}}


def test_the_namespace_is_the_contexts_unless_one_is_named(cluster):
    assert cluster.namespace == "films"
    assert KubernetesCluster("other").namespace == "other"


def test_a_pods_list_is_followed_by_its_changes(api, cluster):
    api.says("GET", PODS, {"metadata": {"resourceVersion": "7"}, "items": [pod("a", "5")]})
    events = [
        {"type": "ADDED", "object": pod("b", "8")},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
        {"type": "DELETED", "object": pod("a", "10")},
        {"type": "ERROR", "object": {"code": 410}},
    ]
    api.says("GET", f"{PODS}?watch", b"".join(json.dumps(each).encode() + b"\n" for each in events))
    seen = [[each["metadata"]["name"] for each in pods] for pods in cluster.watch_pods("x=y")]
    assert seen == [["a"], ["a", "b"], ["b"]]
    assert "resourceVersion=7" in api.asked[-1][1]


def test_a_refusal_is_one_line_with_a_cure(api, cluster):
    api.says("GET", PODS, {"message": "pods is forbidden"}, 403)
    with pytest.raises(ClusterError) as error:
        cluster.pods("x=y")
    assert str(error.value).startswith(f"{PODS}: 403 was the answer (pods is forbidden); let an administrator grant it")


def test_a_server_that_is_not_there_is_one_line(api, cluster):
    api.server.shutdown()
    api.server.server_close()
    with pytest.raises(ClusterError, match="kept the API server from answering; check the kubeconfig's server"):
        cluster.pods("x=y")


def test_a_kubeconfig_that_leads_nowhere_is_one_line(api, monkeypatch, tmp_path):  # noqa: ARG001
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match=r"^KUBECONFIG: .* leads to no cluster; set KUBECONFIG"):
        KubernetesCluster()


@pytest.mark.parametrize("status", [200, 404, 409])
def test_that_very_pod_is_deleted_and_one_that_is_gone_is_no_error(api, cluster, status):
    api.says("DELETE", f"{PODS}/a", {}, status)
    cluster.delete_pod("a", "uid-1", 0)
    assert api.asked[-1][2] == {"gracePeriodSeconds": 0, "preconditions": {"uid": "uid-1"}}


def test_a_pod_that_may_not_be_deleted_is_an_error(api, cluster):
    api.says("DELETE", f"{PODS}/a", {}, 403)
    with pytest.raises(ClusterError, match="403"):
        cluster.delete_pod("a", "uid-1", 0)


def test_a_job_is_annotated_and_its_retries_ended_by_patches(api, cluster):
    job = "/apis/kubeflow.org/v2beta1/namespaces/films/mpijobs/chest"
    launcher = "/apis/batch/v1/namespaces/films/jobs/chest-launcher"
    for path in (job, launcher):
        api.says("PATCH", path, {})
    cluster.annotate("chest", {"cxr-train.io/step": "3"})
    cluster.end_retries("chest-launcher")
    assert api.asked == [
        ("PATCH", job, {"metadata": {"annotations": {"cxr-train.io/step": "3"}}}),
        ("PATCH", launcher, {"spec": {"backoffLimit": 0}}),
    ]


def test_what_is_not_there_is_found_to_be_none(cluster):
    assert cluster.find("/apis/kubeflow.org") is None
