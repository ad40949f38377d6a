"""What a person is told of a job."""

from rich.console import Console

from k8s.status import _print, status_of


def job(**annotations: str) -> dict:
    told = {f"cxr-train.io/{key}": value for key, value in annotations.items()}
    return {"metadata": {"name": "chest-1a2b3c4d", "annotations": told}, "spec": {"runPolicy": {}}}


def ended(kind: str) -> dict:
    return {"status": {"conditions": [{"type": kind, "status": "True"}]}}


def test_a_job_that_trains_shows_its_launchers_words(make_pod):
    found = status_of(job(phase="Training", step="3"), {"status": {}}, [make_pod(1), make_pod(0)], {})
    assert (found.phase, found.progress["step"], found.failure) == ("Training", "3", "")
    assert [line.name[-1] for line in found.pods] == ["0", "1"]
    assert found.pods[0].role == "worker"
    assert found.pods[0].state == "Running"


def test_the_end_is_the_launchers_jobs_word_not_the_mpijobs(make_pod):
    """An evicted worker sets the MPIJob's Failed in mid-run."""
    running = job(phase="Training")
    running["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
    assert status_of(running, {"status": {}}, [make_pod()], {}).phase == "Training"
    assert status_of(running, ended("Complete"), [make_pod()], {}).phase == "Succeeded"
    assert status_of(running, ended("Failed"), [make_pod()], {}).phase == "Failed"


def test_a_job_whose_launcher_never_ran_says_what_hinders_its_pods(make_pod):
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}
    pull = {
        "phase": "Pending",
        "conditions": [],
        "initContainerStatuses": [],
        "containerStatuses": [{"name": "worker", "image": "registry/cxr:9", "state": state}],
    }
    found = status_of(job(), None, [make_pod(status=pull)], {})
    assert found.phase == "Pending"
    assert found.failure == "chest-1a2b3c4d-worker-0: ImagePullBackOff: image registry/cxr:9, not found"


def test_the_launchers_reason_comes_before_a_pods(make_pod):
    dead = {"containerStatuses": [{"name": "w", "image": "i", "state": {"terminated": {"exitCode": 137}}}]}
    pod = make_pod(status={"phase": "Failed", **dead})
    assert status_of(job(reason="rank 1 was killed"), None, [pod], {}).failure == "rank 1 was killed"
    assert status_of(job(), None, [pod], {}).failure.endswith("container w ended with exit code 137")


def test_a_job_that_succeeded_has_no_failure(make_pod):
    assert (
        status_of(job(phase="Succeeded"), ended("Complete"), [make_pod(status={"phase": "Succeeded"})], {}).failure
        == ""
    )


def test_a_suspended_job_says_so():
    suspended = job()
    suspended["spec"]["runPolicy"]["suspend"] = True
    assert status_of(suspended, None, [], {}).phase == "Suspended"


def test_a_pods_trouble_does_not_repeat_the_line_above_it(make_pod, capsys):
    end = {"terminated": {"exitCode": 2, "message": "train.x: no such key"}}
    pods = [
        make_pod(index, status={"phase": "Failed", "containerStatuses": [{"name": "w", "image": "i", "state": end}]})
        for index in range(2)
    ]
    _print(Console(width=200), status_of(job(), None, pods, {}), "chest")
    said = capsys.readouterr().out
    assert said.count("train.x: no such key") == 1
    assert said.count("container w ended with exit code 2") == 3
