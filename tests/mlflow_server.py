"""An MLflow server of the test session's own, from PyPI, on a free port; where it is not installed, tests skip."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

PROGRAMS = Path(__file__).parents[1] / ".servers" / "mlflow" / "bin"
"""Made by ``make .servers/mlflow/done``, which ``make test`` does."""

START_SECONDS = 200.0


class MlflowServer:
    """A server over a database in ``folder``; ``stop`` and ``start`` keep its port and its runs."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [
            *(PROGRAMS / "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{self._folder / 'runs.db'}"),
            *("--artifacts-destination", str(self._folder / "artifacts")),
        ]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the MLflow server has not come up"
            time.sleep(0.2)

    def stop(self) -> None:
        """Kills it, as a node's end would."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def run_of(self, experiment: str) -> dict[str, Any]:
        """The only run of an experiment, as the server's REST API gives it."""
        (run,) = self.runs_of(experiment)
        return run

    def runs_of(self, experiment: str) -> list[dict[str, Any]]:
        found = self.get("experiments/get-by-name", experiment_name=experiment)["experiment"]["experiment_id"]
        runs: list[dict[str, Any]] = self.post("runs/search", experiment_ids=[found]).get("runs", [])
        return runs

    def course(self, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
        """(step, value) of each point of a metric, in the order of steps."""
        found = self.get("metrics/get-history", run_id=run["info"]["run_id"], metric_key=metric)
        return sorted((int(each.get("step", 0)), each["value"]) for each in found.get("metrics", []))

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._answer(requests.get(f"{self.address}/api/2.0/mlflow/{path}", params=query, timeout=60))

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self._answer(requests.post(f"{self.address}/api/2.0/mlflow/{path}", json=body, timeout=60))

    def _answer(self, answer: requests.Response) -> dict[str, Any]:
        assert answer.status_code == requests.codes.ok, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/health", timeout=5).status_code == requests.codes.ok
        except requests.RequestException:
            return False


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A running server; whoever stops it starts it again."""
    if not (PROGRAMS / "mlflow").exists():
        pytest.skip(f"no MLflow in {PROGRAMS}: make .servers/mlflow/done")
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


def parameters_of(run: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["data"].get("params", [])}


def tags_of(run: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["data"].get("tags", [])}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
