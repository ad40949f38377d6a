"""The Kubernetes API, in plain JSON. The only file that imports the kubernetes library, and only once it is used."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from trainer.errors import ClusterError

Object = dict[str, Any]

GROUP, VERSION = "kubeflow.org", "v2beta1"

_TIMEOUT_SECONDS = (5.0, 20.0)
_WATCH_SECONDS = 60
_CURES = {
    401: "log in again: 'kubectl get pods' fails the same way",
    403: "let an administrator grant it; serviceAccount.launcherName needs the rights in templates/rbac.yaml",
    404: "check the name and the namespace; for MPIJobs, install the MPI operator",
}


class Cluster(Protocol):
    """What the launcher asks of a cluster, within its namespace. Raises ClusterError where it is refused."""

    def job(self, name: str) -> Object:
        """The MPIJob."""

    def jobs_of_release(self, release: str) -> list[Object]:
        """The MPIJobs with the release's label."""

    def annotate(self, job: str, annotations: Mapping[str, str]) -> None:
        """Sets annotations of the MPIJob."""

    def pods(self, selector: str) -> list[Object]:
        """The pods with those labels."""

    def watch_pods(self, selector: str) -> Iterator[list[Object]]:
        """All of them, at once and whenever one has changed; without an end."""

    def delete_pod(self, name: str, uid: str, grace_seconds: int) -> None:
        """Deletes that very pod, by force with 0 seconds; one that is gone is no error."""

    def end_retries(self, launcher_job: str) -> None:
        """The Job of the launcher starts no other pod."""

    def warnings(self, name: str) -> list[Object]:
        """The Warning events about the object of that name, the newest last."""


class KubernetesCluster:
    """A real one: the pod's own service account, else the current context of the kubeconfig."""

    def __init__(self, namespace: str = "") -> None:
        import kubernetes

        library: Any = kubernetes
        self._refusal = library.client.ApiException
        default = _load(library.config)
        self.namespace = namespace or default
        self._api: Any = library.client.ApiClient()

    # ---- What the launcher needs ----

    def job(self, name: str) -> Object:
        """See Cluster."""
        return self.read(self._jobs(name))

    def jobs_of_release(self, release: str) -> list[Object]:
        """See Cluster."""
        return _items(self.read(self._jobs(), labelSelector=f"app.kubernetes.io/instance={release}"))

    def annotate(self, job: str, annotations: Mapping[str, str]) -> None:
        """See Cluster."""
        self._patch(self._jobs(job), {"metadata": {"annotations": dict(annotations)}})

    def pods(self, selector: str) -> list[Object]:
        """See Cluster."""
        return _items(self.read(self._core("pods"), labelSelector=selector))

    def watch_pods(self, selector: str) -> Iterator[list[Object]]:
        """See Cluster. Ends, or raises ClusterError, when the thread is lost: call it again."""
        found = self.read(self._core("pods"), labelSelector=selector)
        known = {each["metadata"]["name"]: each for each in _items(found)}
        yield list(known.values())
        version = found["metadata"]["resourceVersion"]
        while True:
            for event in self._events_since(selector, version):
                item = event["object"]
                if event["type"] == "ERROR":
                    # The version is too old to go on from.
                    return
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                known[item["metadata"]["name"]] = item
                if event["type"] == "DELETED":
                    del known[item["metadata"]["name"]]
                yield list(known.values())

    def delete_pod(self, name: str, uid: str, grace_seconds: int) -> None:
        """See Cluster."""
        body = {"gracePeriodSeconds": grace_seconds, "preconditions": {"uid": uid}}
        try:
            self._call("DELETE", self._core(f"pods/{name}"), body=body)
        except ClusterError as error:
            # Gone, or already another one.
            if error.value not in (404, 409):
                raise

    def end_retries(self, launcher_job: str) -> None:
        """See Cluster."""
        path = f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{launcher_job}"
        self._patch(path, {"spec": {"backoffLimit": 0}})

    def warnings(self, name: str) -> list[Object]:
        """See Cluster."""
        about = f"involvedObject.name={name},type=Warning"
        return sorted(_items(self.read(self._core("events"), fieldSelector=about)), key=_event_time)

    # ---- What status and doctor need beside it ----

    def read(self, path: str, **query: str) -> Object:
        """Any object or list of the API by its path."""
        answer = self._call("GET", path, query)
        with self._one_line(path):
            return json.loads(answer.read())  # type: ignore[no-any-return]

    def find(self, path: str, **query: str) -> Object | None:
        """The same; None for what is not there."""
        try:
            return self.read(path, **query)
        except ClusterError as error:
            if error.value == 404:
                return None
            raise

    def may(self, verb: str, resource: str, group: str = "") -> bool:
        """Whether this user may do that in the namespace."""
        attributes = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self._call("POST", path, body=body)
        return bool(json.loads(answer.read())["status"]["allowed"])

    # ---- Below ----

    def _jobs(self, name: str = "") -> str:
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/mpijobs"
        return f"{path}/{name}" if name else path

    def _core(self, rest: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{rest}"

    def _patch(self, path: str, body: Object) -> None:
        self._call("PATCH", path, body=body, content="application/merge-patch+json")

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content: str = "application/json",
        timeout: tuple[float, float] = _TIMEOUT_SECONDS,
    ) -> Any:
        """The answer, not yet read."""
        with self._one_line(path):
            request = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": "application/json", "Content-Type": content},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = self._api.call_api(*request, _request_timeout=timeout)
            if answer.status >= 300:
                said = answer.read() or b"{}"
                reason = json.loads(said).get("message", answer.reason) if said.startswith(b"{") else answer.reason
                raise self._refusal(status=answer.status, reason=reason)
        return answer

    def _events_since(self, selector: str, version: str) -> Iterator[Object]:
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = (_TIMEOUT_SECONDS[0], _WATCH_SECONDS + 15.0)
        answer = self._call("GET", self._core("pods"), query, timeout=timeout).response
        with contextlib.closing(answer), self._one_line("pods"):
            rest = b""
            for data in answer.stream(amt=None, decode_content=False):
                *lines, rest = (rest + data).split(b"\n")
                yield from (json.loads(line) for line in lines if line)

    @contextlib.contextmanager
    def _one_line(self, path: str) -> Iterator[None]:
        from urllib3.exceptions import HTTPError

        try:
            yield
        except self._refusal as error:
            cure = _CURES.get(error.status, "try again; see the API server's log")
            raise ClusterError(path, error.status, f"was the answer ({error.reason})", cure) from error
        except (HTTPError, OSError, ValueError) as error:
            raise ClusterError(
                path,
                " ".join(str(error).split())[:300],
                "kept the API server from answering",
                "check the kubeconfig's server and the network",
            ) from error


def _load(config: Any) -> str:
    """Logs in; the namespace to look into where none is given."""
    try:
        config.load_incluster_config()
        return os.environ.get("CXR_TRAIN_NAMESPACE", "default")
    except config.ConfigException:
        pass
    try:
        config.load_kube_config()
        return str(config.list_kube_config_contexts()[1]["context"].get("namespace", "default"))
    except (config.ConfigException, OSError) as error:
        words = " ".join(str(error).split())
        cure = "set KUBECONFIG, or choose a context: 'kubectl config use-context'"
        raise ClusterError("KUBECONFIG", words, "leads to no cluster", cure) from None


def _items(answer: Object) -> list[Object]:
    return list(answer.get("items") or [])


def _event_time(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")
