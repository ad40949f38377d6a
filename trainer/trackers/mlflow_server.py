"""A run in an MLflow tracking server, by its REST API 2.0.

Rows have the time at which they were made, so telling the server again what it may have taken changes nothing in it.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from trainer.checkpoint.history import Row
from trainer.config import MlflowConfig
from trainer.trackers.mlflow_run import RUN_TAG, RunFacts, points, told
from trainer.trackers.rows import untold
from trainer.trackers.tracker import NotTaken, Outcome, Tracker

PARAMETERS_AT_ONCE, POINTS_AT_ONCE = 100, 900
"""Below what the server takes in one request."""

_KEY = "trackers.mlflow.address"
_STATUS: Mapping[Outcome, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MlflowServer(Tracker):
    """The run that has this key, made if it is not there; what it holds already is not told again.

    Args:
        config: where the server is.
        facts: of the run.
        key: of the run, asked when it is needed.
        environment: may hold MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.
    """

    name: ClassVar[str] = "MLflow"

    def __init__(
        self,
        config: MlflowConfig,
        facts: RunFacts,
        key: Callable[[], str],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._config, self._facts, self._key = config, facts, key
        self._session = requests.Session()
        # A Secret made from a file ends in a new line.
        if token := environment.get("MLFLOW_TRACKING_TOKEN", "").strip():
            self._session.auth = _Bearer(token)
        elif user := environment.get("MLFLOW_TRACKING_USERNAME"):
            password = environment.get("MLFLOW_TRACKING_PASSWORD", "")
            # As bytes, or a letter that is not Latin-1 is an error: RFC 7617, section 2.1.
            self._session.auth = HTTPBasicAuth(user.encode(), password.encode())

    def begin(self) -> None:
        """Finds or makes experiment and run, and asks what the run holds."""
        experiment = self._experiment()
        self._run = self._found(experiment) or self._made(experiment)
        self._set_status("RUNNING")
        held = self._get("runs/get", run_id=self._run)["run"]["data"]
        self._told = told({each["key"]: int(each.get("step", 0)) for each in held.get("metrics", [])})
        self._set_parameters({each["key"] for each in held.get("params", [])})

    def tell(self, rows: Sequence[Row]) -> None:
        """Adds the points of the rows that the run does not hold."""
        found = [point for row in untold(rows, self._told) for point in points(row)]
        for some in _chunks(found, POINTS_AT_ONCE):
            self._post("runs/log-batch", run_id=self._run, metrics=[point._asdict() for point in some])

    def end(self, outcome: Outcome) -> None:
        """Sets the run's status and time of end."""
        self._set_status(_STATUS[outcome], end_time=_now())

    def _experiment(self) -> str:
        name = self._config.experiment
        try:
            found = self._get("experiments/get-by-name", experiment_name=name)
        except _Absent:
            try:
                return str(self._post("experiments/create", name=name)["experiment_id"])
            except _Taken:
                found = self._get("experiments/get-by-name", experiment_name=name)
        return str(found["experiment"]["experiment_id"])

    def _found(self, experiment: str) -> str | None:
        wanted = f"tags.\"{RUN_TAG}\" = '{self._key()}'"
        runs = self._post("runs/search", experiment_ids=[experiment], filter=wanted, max_results=1).get("runs", [])
        return str(runs[0]["info"]["run_id"]) if runs else None

    def _made(self, experiment: str) -> str:
        tags = [{"key": name, "value": value} for name, value in {**self._facts.tags, RUN_TAG: self._key()}.items()]
        made = self._post(
            "runs/create", experiment_id=experiment, run_name=self._facts.name, start_time=_now(), tags=tags
        )
        return str(made["run"]["info"]["run_id"])

    def _set_status(self, status: str, **more: int) -> None:
        self._post("runs/update", run_id=self._run, status=status, **more)

    def _set_parameters(self, held: set[str]) -> None:
        """Those that are not there yet: a server lets none be changed, so a resumed run keeps those it began with."""
        new = [{"key": name, "value": value} for name, value in self._facts.parameters.items() if name not in held]
        for some in _chunks(new, PARAMETERS_AT_ONCE):
            self._post("runs/log-batch", run_id=self._run, params=some)

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        return self._ask("GET", path, params=query)

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        address, wait = self._config.address.rstrip("/"), self._config.timeout_seconds
        try:
            # Followed elsewhere, a request would take the password along.
            answer = self._session.request(
                method, f"{address}/api/2.0/mlflow/{path}", timeout=wait, allow_redirects=False, **more
            )
        except requests.RequestException as error:
            raise NotTaken(_KEY, address, f"does not answer ({type(error).__name__}: {error})", "look at it") from error
        if answer.status_code != requests.codes.ok:
            raise _refusal(address, path, answer)
        try:
            found: dict[str, Any] = answer.json()
        except ValueError as error:
            raise NotTaken(_KEY, address, f"answers {path} with no JSON", "name an MLflow server") from error
        return found


class _Bearer(AuthBase):
    """A token; not among the session's headers, where an entry of ~/.netrc would replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if not (self._token.isascii() and self._token.isprintable()):
            # Those who refuse such a header repeat it.
            rule, cure = "is not repeated: it holds what no header can", "set it to the token alone"
            raise NotTaken("MLFLOW_TRACKING_TOKEN", "...", rule, cure)
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _Absent(NotTaken):
    """There is no such thing in the server."""


class _Taken(NotTaken):
    """There is such a thing already."""


def _refusal(address: str, path: str, answer: requests.Response) -> NotTaken:
    try:
        said = answer.json()
        code, message = str(said["error_code"]), str(said.get("message", ""))
    except (ValueError, KeyError, TypeError):
        code, message = "", answer.text
    kind = {"RESOURCE_DOES_NOT_EXIST": _Absent, "RESOURCE_ALREADY_EXISTS": _Taken}.get(code, NotTaken)
    cure = "look at the server's log"
    if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
        cure = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
    return kind(_KEY, address, f"answers {path} with {answer.status_code} {code} {message[:200]}".rstrip(), cure)


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _now() -> int:
    return int(time.time() * 1000)
