"""What a pod asks of the API server, with its own service account and the standard library alone."""

import http.client
import json
import os
import ssl
from pathlib import Path
from typing import Any

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TIMEOUT_SECONDS = 10


class Refused(Exception):
    """The API server answered, and it was no object: a right is missing, or the path is wrong."""


def read_job(name: str, namespace: str) -> dict[str, Any] | None:
    """A Job of batch/v1 as the API has it; None if there is none. Raises Refused, OSError."""
    return _call("GET", _path(name, namespace))


def end_retries(name: str, namespace: str) -> None:
    """That Job starts no other pod. Raises Refused, OSError."""
    _call("PATCH", _path(name, namespace), json.dumps({"spec": {"backoffLimit": 0}}))


def condition(job: dict[str, Any], kind: str) -> str | None:
    """The message of a condition of a Job that is true: Complete, Failed, Suspended; None if it is not."""
    for each in job.get("status", {}).get("conditions", []):
        if each["type"] == kind and each["status"] == "True":
            return each.get("message") or each.get("reason") or kind
    return None


def _path(name: str, namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"


def _call(method: str, path: str, body: str | None = None) -> dict[str, Any] | None:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"])
    trust = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    headers = {
        "Authorization": f"Bearer {(_ACCOUNT / 'token').read_text().strip()}",
        "Accept": "application/json",
        "Content-Type": "application/merge-patch+json",
    }
    connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_SECONDS, context=trust)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    except http.client.HTTPException as error:
        raise OSError(f"the API server's answer broke off ({error!r})") from error
    finally:
        connection.close()
    if response.status == http.HTTPStatus.NOT_FOUND:
        return None
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise Refused(f"{response.status}: {answer.get('message', path)}")
    return dict(answer)
