"""What the chart itself runs in pods: the wait for the films, and `helm test`."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FILES = Path(__file__).resolve().parents[2] / "helm" / "files"

Read = Callable[[str, str], dict[str, Any] | None]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """As python finds them in the pod: beside each other."""
    monkeypatch.syspath_prepend(str(FILES))
    names = [file.stem for file in FILES.glob("*.py")]
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)


def job(*true: str, message: str = "BackoffLimitExceeded") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": "True", "message": message} for kind in true]}}


def says(*given: Any) -> Read:
    """Answers one after the other; an error among them is raised."""
    waiting = iter(given)

    def read(_name: str, _namespace: str) -> dict[str, Any] | None:
        answer = next(waiting)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer) if answer is not None else None

    return read


def answers(_host: str) -> None:
    """Every sshd does."""


def test_the_launcher_waits_until_the_films_are_there(load: Any) -> None:
    slept: list[float] = []
    read = says(None, OSError("timed out"), job(), job("Complete"))
    load("wait_for_films").wait("films", "n", read, slept.append)
    assert len(slept) == 3


def test_the_launcher_fails_with_the_reason_if_films_will_never_be_there(load: Any) -> None:
    module = load("wait_for_films")
    read = "read kubectl -n n logs --prefix -l batch.kubernetes.io/job-name=films"
    with pytest.raises(module.Failed, match=f"Job films failed: BackoffLimitExceeded; {read}"):
        module.wait("films", "n", says(job("Failed")), pytest.fail)


def test_who_waits_is_told_how_many_pods_are_done(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    at_work = {"spec": {"completions": 3}, "status": {"succeeded": 1, "active": 2, "failed": 4}}
    load("wait_for_films").wait("films", "n", says(at_work, job("Complete")), lambda _: None)
    assert capsys.readouterr().out.endswith(" is at work: 1 of 3 pods are done, 4 were lost on the way\n")


def test_a_missing_right_ends_the_wait(load: Any) -> None:
    refused = load("cluster_api").Refused("403: jobs is forbidden")
    with pytest.raises(type(refused), match="forbidden"):
        load("wait_for_films").wait("films", "n", says(refused), pytest.fail)


def test_films_that_will_never_be_there_end_the_launchers_retries(
    load: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("wait_for_films")
    ended: list[tuple[str, str]] = []
    for name, value in {"JOB": "j", "PREPARE_JOB": "films", "NAMESPACE": "n"}.items():
        monkeypatch.setenv(f"CXR_TRAIN_{name}", value)
    monkeypatch.setattr(module, "read_job", says(job("Failed")))
    monkeypatch.setattr(module, "end_retries", lambda name, namespace: ended.append((name, namespace)))
    assert module.main() == 1
    assert ended == [("j-launcher", "n")]
    assert "Job films failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("launcher", "line"),
    [
        (job("Complete"), "job j is done"),
        (job("Suspended"), "job j is suspended: it waits for its queue, or for --set suspend=false"),
        (job(), "job j runs, and sshd answers on its 2 workers"),
        (
            {"status": {"failed": 3}},
            "job j runs, and sshd answers on its 2 workers, after 3 launchers that failed: read their logs",
        ),
    ],
)
def test_helm_test_is_content_with_a_job_that_is_well(load: Any, launcher: dict[str, Any], line: str) -> None:
    assert load("check_release").look("j", "n", 2, says(launcher), answers) == line


def test_helm_test_names_why_a_job_failed(load: Any) -> None:
    module = load("check_release")
    with pytest.raises(module.Wrong, match="job j failed: out of memory"):
        module.look("j", "n", 2, says(job("Failed", message="out of memory")), answers)


def test_helm_test_names_the_worker_that_does_not_answer(load: Any) -> None:
    module = load("check_release")
    silent = {"j-worker-0.j.n.svc": None, "j-worker-1.j.n.svc": "Connection refused"}
    with pytest.raises(module.NotYet, match=r"no sshd on j-worker-1 \(Connection refused\)"):
        module.look("j", "n", 2, says(job()), silent.__getitem__)


def test_helm_test_asks_again_until_it_is_well_or_too_late(load: Any) -> None:
    module = load("check_release")
    looks = iter([module.NotYet("no sshd"), module.NotYet("no sshd"), "fine"])

    def see() -> str:
        answer = next(looks)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    assert module.patiently(see, clock=lambda: 0.0, sleep=lambda _: None) == "fine"

    def never() -> str:
        raise module.NotYet("no sshd")

    late = iter([0.0, module.PATIENCE_SECONDS + 1.0])
    with pytest.raises(module.NotYet, match="no sshd"):
        module.patiently(never, clock=late.__next__, sleep=pytest.fail)


def test_an_answer_that_is_no_sshd_is_told(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import threading

    module = load("check_release")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(module, "SSH_PORT", server.getsockname()[1])
        for banner, reason in {b"SSH-2.0-OpenSSH_9.2\r\n": None, b"HTTP/1.1 400\r\n": "says b'HTTP/1.1 400"}.items():

            def answer(banner: bytes = banner) -> None:
                connection, _ = server.accept()
                with connection:
                    connection.sendall(banner)

            thread = threading.Thread(target=answer)
            thread.start()
            found = module.greet("127.0.0.1")
            thread.join()
            assert found is None if reason is None else reason in str(found)
    assert "refused" in str(module.greet("127.0.0.1"))
