"""A run in a real MLflow server: found again by its key, told once, and refused in a line that helps."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.mlflow_server import MlflowServer as Server
from tests.mlflow_server import parameters_of, tags_of
from trainer.checkpoint.history import Row
from trainer.config import MlflowConfig
from trainer.trackers.mlflow_run import RUN_TAG, RunFacts
from trainer.trackers.mlflow_server import MlflowServer
from trainer.trackers.tracker import NotTaken

TIME = 1_700_000_000.25


def step(number: int, **values: Any) -> Row:
    return {"kind": "step", "time": TIME + number, "step": number, "epoch": 0, "loss": 1.0 / number, **values}


def epoch(number: int, at: int, aurocs: dict[str, float | None]) -> Row:
    mean = {"validation_auroc": 0.75, "validation_loss": 0.5, "validation_aurocs": aurocs}
    return {"kind": "epoch", "time": TIME + at, "step": at, "epoch": number, "loss": 0.4, **mean}


def tracker(address: str, experiment: str, *, key: str, environment: Any = None, **parameters: str) -> MlflowServer:
    config = MlflowConfig(address=address, experiment=experiment, timeout_seconds=60.0)
    facts = RunFacts(experiment, "a run", parameters, {"cxr_train.version": "1"})
    return MlflowServer(config, facts, lambda: key, environment or {})


@pytest.mark.timeout(600)
class TestARealServer:
    def test_a_run_is_read_back_as_it_was_told(self, mlflow_server: Server) -> None:
        parameters = {f"train.setting{each}": str(each) for each in range(150)}
        told = tracker(mlflow_server.address, "whole", key="a" * 32, **parameters)
        told.begin()
        told.tell([step(10), step(20)])
        told.tell([epoch(1, 20, {"Mass": 0.7, "No Finding": 0.8, "Hernia": None})])
        told.end("finished")

        run = mlflow_server.run_of("whole")
        assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", "a run")
        assert parameters_of(run) == parameters
        assert tags_of(run).items() >= {RUN_TAG: "a" * 32, "cxr_train.version": "1"}.items()
        assert mlflow_server.course(run, "train/loss") == [(10, 0.1), (20, 0.05)]
        assert mlflow_server.course(run, "validation/auroc/No Finding") == [(20, 0.8)]
        assert "validation/auroc/Hernia" not in {each["key"] for each in run["data"]["metrics"]}
        first = mlflow_server.get("metrics/get-history", run_id=run["info"]["run_id"], metric_key="train/loss")
        assert {each["timestamp"] for each in first["metrics"]} == {int((TIME + each) * 1000) for each in (10, 20)}

    def test_the_next_attempt_goes_on_in_the_same_run(self, mlflow_server: Server) -> None:
        before = tracker(mlflow_server.address, "resumed", key="b" * 32, epochs="10", name="a")
        before.begin()
        before.tell([step(10), step(20), epoch(1, 20, {})])
        before.end("stopped")
        assert mlflow_server.run_of("resumed")["info"]["status"] == "KILLED"

        after = tracker(mlflow_server.address, "resumed", key="b" * 32, epochs="20", name="a", new="1")
        after.begin()
        assert mlflow_server.run_of("resumed")["info"]["status"] == "RUNNING"
        after.tell([step(10, loss=9.0), step(20), epoch(1, 20, {}), step(30), epoch(2, 40, {})])
        after.end("finished")

        run = mlflow_server.run_of("resumed")
        assert mlflow_server.course(run, "train/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30)]
        assert mlflow_server.course(run, "train/epochs_done") == [(20, 1.0), (40, 2.0)]
        assert parameters_of(run) == {"epochs": "10", "name": "a", "new": "1"}
        assert run["info"]["status"] == "FINISHED"

    def test_rows_whose_answer_was_lost_are_told_again_without_a_trace(self, mlflow_server: Server) -> None:
        told = tracker(mlflow_server.address, "lost", key="c" * 32)
        told.begin()
        told.tell([step(10), step(20)])
        told.tell([step(10), step(20), step(30)])
        run = mlflow_server.run_of("lost")
        assert mlflow_server.course(run, "train/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30)]

    def test_another_run_of_the_experiment_is_another_run(self, mlflow_server: Server) -> None:
        for key in ("d" * 32, "e" * 32):
            tracker(mlflow_server.address, "two", key=key).begin()
        assert len(mlflow_server.runs_of("two")) == 2

    def test_more_rows_than_a_request_holds_are_told_in_several(self, mlflow_server: Server) -> None:
        told = tracker(mlflow_server.address, "many", key="f" * 32)
        told.begin()
        told.tell([epoch(each, each, {f"class {name}": 0.5 for name in range(40)}) for each in range(1, 41)])
        assert len(mlflow_server.course(mlflow_server.run_of("many"), "validation/auroc/class 39")) == 40


class Answers(BaseHTTPRequestHandler):
    """Answers each request with the server's ``answer`` and keeps its headers."""

    def do_GET(self) -> None:
        status, headers, body = self.server.answer  # type: ignore[attr-defined]
        self.server.heard.append(dict(self.headers))  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def answering() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Answers)
    server.heard = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


DENIED = json.dumps({"error_code": "PERMISSION_DENIED", "message": "who are you?"}).encode()


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ((401, {}, b"no"), r"answers experiments/get-by-name with 401  no; set MLFLOW_TRACKING_USERNAME and MLFLOW_"),
        ((403, {}, DENIED), r"with 403 PERMISSION_DENIED who are you\?; set MLFLOW_TRACKING_USERNAME"),
        ((502, {}, b"<html>bad gateway"), r"with 502  <html>bad gateway; look at the server's log"),
        ((200, {}, b"<html>welcome"), r"answers experiments/get-by-name with no JSON; name an MLflow server"),
        ((302, {"Location": "http://elsewhere.invalid/"}, b""), r"answers experiments/get-by-name with 302"),
    ],
)
def test_a_server_that_refuses_is_named_with_what_it_says(answering: Any, answer: Any, rule: str) -> None:
    answering.answer = answer
    with pytest.raises(NotTaken, match=f"^trackers.mlflow.address: '{answering.address}' .*{rule}"):
        tracker(answering.address, "a", key="a").begin()
    assert len(answering.heard) == 1


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(NotTaken, match=r"'http://127.0.0.1:9' does not answer \(ConnectionError: "):
        tracker("http://127.0.0.1:9", "a", key="a").begin()


BASIC, BASIC_UTF_8 = ("Basic " + base64.b64encode(f"me:{each}".encode()).decode() for each in ("hush", "hush€"))


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({}, None),
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "hush"}, BASIC),
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "hush€"}, BASIC_UTF_8),
        ({"MLFLOW_TRACKING_TOKEN": "t", "MLFLOW_TRACKING_USERNAME": "me"}, "Bearer t"),
        ({"MLFLOW_TRACKING_TOKEN": "hush\n"}, "Bearer hush"),
    ],
)
def test_who_asks_is_told_from_the_environment(answering: Any, environment: Any, header: str | None) -> None:
    answering.answer = (500, {}, b"")
    with pytest.raises(NotTaken) as refused:
        tracker(answering.address, "a", key="a", environment=environment).begin()
    assert answering.heard[0].get("Authorization") == header
    assert "hush" not in str(refused.value)


def test_a_token_that_no_header_can_hold_is_not_repeated() -> None:
    with pytest.raises(NotTaken, match=r"^MLFLOW_TRACKING_TOKEN: .* is not repeated") as refused:
        tracker("http://127.0.0.1:9", "a", key="a", environment={"MLFLOW_TRACKING_TOKEN": "hush\nx"}).begin()
    assert "hush" not in str(refused.value)


def test_a_token_goes_before_what_a_netrc_file_says(
    answering: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    answering.answer = (500, {}, b"")
    with pytest.raises(NotTaken):
        tracker(answering.address, "a", key="a", environment={"MLFLOW_TRACKING_TOKEN": "t"}).begin()
    assert answering.heard[0]["Authorization"] == "Bearer t"
