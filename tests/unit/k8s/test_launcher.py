"""What the launcher does as pods, workers and ranks come and go: a cluster, ssh and mpirun that do as they are told."""

import logging
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from k8s import crew as crew_module
from k8s import launcher as launcher_module
from k8s import muster as muster_module
from k8s.channel import Said, Unreached
from k8s.crew import Asked, Pods
from k8s.launcher import Launcher
from k8s.place import Place
from trainer import settings
from trainer.errors import ClusterError

JOB = "chest-1a2b3c4d"


class FakeCluster:
    """Keeps what it was asked for; a deleted pod is replaced at once, as the operator would."""

    def __init__(self, make_pod: Callable[..., dict], workers: int) -> None:
        self._make_pod = make_pod
        self.current = {index: make_pod(index) for index in range(workers)}
        self.annotations: dict[str, str] = {}
        self.deleted: list[tuple[str, int]] = []
        self.retries_ended = False
        self.others: list[dict] = []
        self.other_pods: list[dict] = []
        self.changed = threading.Condition()
        self._made = 0

    def job(self, name: str) -> dict:
        return {
            "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": self.annotations}
        }

    def jobs_of_release(self, release: str) -> list[dict]:  # noqa: ARG002
        return [self.job(JOB), *self.others]

    def annotate(self, job: str, annotations: Mapping[str, str]) -> None:  # noqa: ARG002
        self.annotations |= annotations

    def pods(self, selector: str) -> list[dict]:  # noqa: ARG002
        return [*self.current.values(), *self.other_pods]

    def watch_pods(self, selector: str) -> Iterator[list[dict]]:  # noqa: ARG002
        while True:
            with self.changed:
                yield list(self.current.values())
                self.changed.wait()

    def set_pod(self, index: int, **changes: Any) -> None:
        with self.changed:
            self.current[index] = self._make_pod(index, **changes)
            self.changed.notify_all()

    def renew(self, index: int) -> None:
        self._made += 1
        self.set_pod(index, metadata={"uid": f"uid-{index}-{self._made}"})

    def delete_pod(self, name: str, uid: str, grace_seconds: int) -> None:  # noqa: ARG002
        self.deleted.append((name, grace_seconds))
        self.renew(int(name.rpartition("-")[2]))

    def end_retries(self, launcher_job: str) -> None:
        assert launcher_job == f"{JOB}-launcher"
        self.retries_ended = True

    def warnings(self, name: str) -> list[dict]:  # noqa: ARG002
        return []


class FakeChannel:
    """A worker that is on the line at once and makes way for every attempt."""

    def __init__(self, worker, uid, address, host, put, ssh) -> None:  # noqa: ARG002
        self.worker, self.uid, self._put = worker, uid, put
        self.asked: list[dict] = []
        self.process_id = None
        if (worker, uid) not in Script.silent:
            self.say(kind="hello", attempt=Script.known_attempt, pod=f"{JOB}-worker-{worker}", number=0)
        Script.channels[worker] = self

    def say(self, **message: object) -> None:
        self._put(Said(self.worker, self.uid, message))

    def drop(self, why: str) -> None:
        self._put(Unreached(self.worker, self.uid, why))

    def ask(self, **message: object) -> None:
        self.asked.append(message)
        if message.get("do") == "attempt":
            self.say(kind="cleared", attempt=message["attempt"])
        if message.get("do") == "over":
            Script.cluster.set_pod(self.worker, status={"phase": "Succeeded"}, metadata={"uid": self.uid})
        if message.get("do") == "signal":
            Script.stop()

    def close(self) -> None:
        pass


class Script:
    """What happens in each attempt, told by the test; one list a test."""

    cluster: FakeCluster
    channels: dict[int, FakeChannel]
    silent: set[tuple[int, str]]
    known_attempt: int
    attempts: list[Callable[[int], None]]
    lines: list[list[str]]
    running: list[subprocess.Popen[bytes]]

    @classmethod
    def start(cls, arguments, environment, ssh) -> subprocess.Popen[bytes]:  # noqa: ARG003
        cls.lines.append(list(arguments))
        process = subprocess.Popen(["sleep", "600"], stdout=subprocess.PIPE, process_group=0)
        cls.running.append(process)
        attempt = int(arguments[arguments.index("k8s.rank") + 1])
        cls.attempts.pop(0)(attempt)
        return process

    @classmethod
    def end(cls, attempt: int, rank: int, code: int, **more: object) -> None:
        fields = {"last": "", "tail": [], "by_others": False, "by_signal": False, "out_of_memory": "", **more}
        cls.channels[rank].say(kind="ended", rank=rank, attempt=attempt, code=code, **fields)

    @classmethod
    def finish(cls, attempt: int, *codes: int, **more: object) -> None:
        """All ranks end with these codes, and mpirun after them."""
        for rank, code in enumerate(codes):
            cls.end(attempt, rank, code, **more)
        cls.running[-1].kill()

    @classmethod
    def stop(cls) -> None:
        attempt = int(cls.lines[-1][cls.lines[-1].index("k8s.rank") + 1])
        cls.finish(attempt, *[143] * len(cls.channels))

    @classmethod
    def beat(cls, attempt: int, rank: int, **beat: object) -> None:
        full = {"phase": "step", "step": 0.0, "steps": 100.0, "epoch": 1.0, "scored": 0.0, **beat}
        cls.channels[rank].say(kind="beat", rank=rank, attempt=attempt, beat=full, state="")


def done(attempt: int) -> None:
    Script.finish(attempt, 0, 0)


@pytest.fixture
def cluster(make_pod, monkeypatch) -> Iterator[FakeCluster]:
    Script.cluster = FakeCluster(make_pod, 2)
    Script.channels, Script.silent, Script.known_attempt = {}, set(), 0
    Script.attempts, Script.lines, Script.running = [], [], []
    monkeypatch.setattr(crew_module, "Channel", FakeChannel)
    monkeypatch.setattr("k8s.mpirun.start", Script.start)
    monkeypatch.setattr("k8s.attempt._SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(crew_module, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(muster_module, "SAY_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(launcher_module, "write_reason", lambda reason: None)  # noqa: ARG005
    yield Script.cluster
    for each in Script.running:
        each.kill()
        each.wait()
        each.stdout.close()


@pytest.fixture
def make_launcher(cluster: FakeCluster, place: Place) -> Callable[..., Launcher]:
    def make(*assignments: str) -> Launcher:
        config = settings.load(None, ["data.training=/data/set/training", "cluster.evaluate=false", *assignments])
        return Launcher(config, "/etc/cxr-train/config.yaml", [], "text", cluster, place, ["ssh"])

    return make


@pytest.fixture(autouse=True)
def heard(caplog) -> pytest.LogCaptureFixture:
    logger = logging.getLogger("cxr_train")
    before = logger.propagate
    logger.propagate = True
    caplog.set_level(logging.INFO, "cxr_train")
    yield caplog
    logger.propagate = before


def test_a_job_trains_once_and_lets_its_workers_end(cluster, make_launcher):
    Script.attempts = [done]
    assert make_launcher().run() == 0
    assert cluster.annotations["cxr-train.io/phase"] == "Succeeded"
    assert cluster.annotations["cxr-train.io/restarts"] == "0"
    assert all(each.asked[-1] == {"do": "over"} for each in Script.channels.values())
    assert not cluster.retries_ended


def test_the_world_size_is_asserted(make_launcher):
    Script.attempts = [done]
    make_launcher().run()
    assert "collectives.expected_ranks=2" in Script.lines[0]


def test_after_training_the_test_films_are_scored_on_the_same_ranks(make_launcher):
    Script.attempts = [done, done]
    assert make_launcher("cluster.evaluate=true", "data.test=/data/set/test").run() == 0
    assert [line[line.index("trainer.cli") + 1] for line in Script.lines] == ["train", "evaluate"]
    assert "evaluate.split=test" in Script.lines[1]


def test_without_test_films_the_validation_films_are_scored(make_launcher):
    Script.attempts = [done, done]
    assert make_launcher("cluster.evaluate=true", "data.validation=/data/set/validation").run() == 0
    assert "evaluate.split=validation" in Script.lines[1]


def test_an_error_that_would_come_again_is_not_tried_again(cluster, make_launcher):
    Script.attempts = [lambda attempt: Script.finish(attempt, 144, 3, last="data.training: 'x' is empty")]
    assert make_launcher().run() == 3
    assert cluster.retries_ended
    assert cluster.annotations["cxr-train.io/phase"] == "Failed"
    assert "data.training: 'x' is empty" in cluster.annotations["cxr-train.io/reason"]


def test_a_killed_rank_is_followed_by_another_attempt(cluster, make_launcher, heard):
    Script.attempts = [lambda attempt: Script.finish(attempt, 144, 139), done]
    assert make_launcher().run() == 0
    assert cluster.annotations["cxr-train.io/restarts"] == "1"
    assert (
        "rank 1 on chest-1a2b3c4d-worker-1 was ended by SIGSEGV (exit 139); restart 1 (1 of 3 failures)" in heard.text
    )
    assert cluster.deleted == [], "its pod is as good as before"


def test_after_the_limit_the_job_fails_with_the_last_reason(cluster, make_launcher):
    Script.attempts = [lambda attempt: Script.finish(attempt, 144, 137)] * 3
    assert make_launcher("restarts.limit=2").run() == 4
    assert cluster.retries_ended
    reason = cluster.annotations["cxr-train.io/reason"]
    assert reason.startswith(
        "restarts.limit: 2 restarts are used up: rank 1 on chest-1a2b3c4d-worker-1 was ended by SIGKILL"
    )


def test_a_pod_that_was_deleted_by_force_is_waited_for_and_does_not_count(cluster, make_launcher, heard):
    Script.attempts = [lambda _: cluster.renew(1), done]
    assert make_launcher("restarts.limit=0").run() == 0
    assert "chest-1a2b3c4d-worker-1 was lost: its pod is gone; restart 1 (0 of 0 failures)" in heard.text


def test_a_pod_killed_for_want_of_memory_is_named_and_replaced(cluster, make_launcher, heard):
    ended = {"name": "worker", "image": "i", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    dead = {"phase": "Failed", "containerStatuses": [ended]}
    Script.attempts = [lambda _: cluster.set_pod(1, status=dead), done]
    assert make_launcher().run() == 0
    assert ("chest-1a2b3c4d-worker-1", 5) in cluster.deleted
    assert "killed for want of memory (OOMKilled at 2Gi)" in heard.text


def test_a_worker_that_goes_silent_is_lost_and_its_pod_deleted(cluster, make_launcher, heard):
    Script.attempts = [lambda _: Script.channels[1].drop("its sshd does not answer (timed out)"), done]
    assert make_launcher().run() == 0
    assert cluster.deleted == [("chest-1a2b3c4d-worker-1", 5)]
    assert "worker-1 was lost: it has gone silent: its sshd does not answer" in heard.text


def test_a_hung_rank_is_named(cluster, make_launcher, heard):
    def hang(attempt: int) -> None:
        for rank in range(2):
            Script.beat(attempt, rank)
            Script.beat(attempt, rank, step=1.0)
        Script.beat(attempt, 1, step=1.0, phase="films")

    Script.attempts = [hang, done]
    assert make_launcher("restarts.stall_seconds=0.3").run() == 0
    assert "rank 1 on chest-1a2b3c4d-worker-1 hangs waiting for films after step 1" in heard.text
    assert cluster.annotations["cxr-train.io/restarts"] == "1"


def test_an_attempt_ends_the_older_ranks_with_the_grace_that_is_useful(make_launcher):
    Script.attempts = [lambda attempt: Script.finish(attempt, 144, 137), done]
    make_launcher().run()
    asked = [each for each in Script.channels[0].asked if each["do"] == "attempt"]
    assert [(each["attempt"], each["grace_seconds"]) for each in asked] == [(1, 120.0), (2, 0.0)]


def test_a_new_launcher_counts_on(cluster, make_launcher, heard):
    cluster.annotations = {"cxr-train.io/attempt": "3", "cxr-train.io/restarts": "2", "cxr-train.io/failures": "3"}
    Script.known_attempt = 5
    Script.attempts = [lambda attempt: Script.finish(attempt, 144, 137)]
    assert make_launcher().run() == 4
    assert Script.lines[0][Script.lines[0].index("k8s.rank") + 1] == "6", "newer than any that a worker knows"
    assert cluster.annotations["cxr-train.io/restarts"] == "3"
    assert "a new launcher goes on after attempt 3" in heard.text


def test_sigterm_stops_the_ranks_through_work_and_leaves_with_143(cluster, make_launcher):
    launcher = make_launcher()
    Script.attempts = [lambda _: launcher.crew.events.put(Asked(15))]
    assert launcher.run() == 143
    assert {"do": "signal", "signal": 15} in Script.channels[0].asked
    assert cluster.annotations["cxr-train.io/phase"] == "Stopped"
    assert "its checkpoint is committed" in cluster.annotations["cxr-train.io/reason"]
    assert not cluster.retries_ended, "whoever starts it again goes on"
    assert {"do": "over"} not in Script.channels[0].asked


def test_sigterm_while_waiting_leaves_at_once(cluster, make_launcher):
    cluster.set_pod(1, status={"phase": "Pending", "podIP": None, "conditions": [], "containerStatuses": []})
    launcher = make_launcher()
    launcher.crew.events.put(Asked(15))
    assert launcher.run() == 143


def test_a_worker_that_does_not_come_is_named_with_its_cause(cluster, make_launcher, heard):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    cluster.set_pod(1, status={"phase": "Pending", "conditions": [condition]})
    assert make_launcher("cluster.start_timeout_seconds=0.5").run() == 4
    reason = cluster.annotations["cxr-train.io/reason"]
    assert reason.startswith("workers: 'chest-1a2b3c4d-worker-1' did not come within 0.5 s (Unschedulable: no GPU)")
    assert "waiting for chest-1a2b3c4d-worker-1 (Unschedulable: no GPU)" in heard.text
    assert cluster.retries_ended


def test_what_will_never_come_is_not_waited_for(cluster, make_launcher):
    bad = {"name": "worker", "image": "No Image", "state": {"waiting": {"reason": "InvalidImageName"}}}
    cluster.set_pod(
        0, status={"phase": "Pending", "conditions": [], "containerStatuses": [bad], "initContainerStatuses": []}
    )
    assert make_launcher("cluster.start_timeout_seconds=600").run() == 4
    assert "worker-0' cannot start (InvalidImageName: image No Image" in cluster.annotations["cxr-train.io/reason"]


def test_fewer_workers_go_on_where_that_is_allowed(cluster, make_launcher, monkeypatch, heard):
    monkeypatch.setattr(muster_module, "FEWER_AFTER_SECONDS", 0.3)
    unschedulable = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}

    def lose(_attempt: int) -> None:
        cluster.set_pod(1, status={"phase": "Pending", "conditions": [unschedulable]}, metadata={"uid": "new"})

    Script.attempts = [lose, lambda attempt: Script.finish(attempt, 0)]
    assert make_launcher("restarts.minimum_workers=1").run() == 0
    assert "collectives.expected_ranks=1" in Script.lines[1]
    assert "collectives.wanted_ranks=2" in Script.lines[1]
    assert "going on with 1 workers: chest-1a2b3c4d-worker-1 (Unschedulable: no node)" in heard.text


def test_a_batch_that_the_ranks_do_not_divide_is_refused_before_any_is_started(cluster, make_launcher):
    assert make_launcher("train.global_batch_size=33").run() == 2
    assert cluster.retries_ended
    assert Script.lines == []


def test_an_older_job_of_the_release_is_waited_for(cluster, make_launcher, monkeypatch, heard):
    monkeypatch.setattr(launcher_module, "_PAUSE_SECONDS", 0.05)
    old = {"metadata": {"name": "chest-old", "creationTimestamp": "2025-01-01T00:00:00Z"}}
    newer = {"metadata": {"name": "chest-new", "creationTimestamp": "2027-01-01T00:00:00Z"}}
    cluster.others = [old, newer]
    cluster.other_pods = [_pod_of("chest-old"), _pod_of("chest-new")]
    asked = []

    def pods(_selector: str) -> list[dict]:
        asked.append(1)
        if len(asked) > 2:
            cluster.other_pods = [_pod_of("chest-new")]
        return cluster.other_pods

    monkeypatch.setattr(cluster, "pods", pods)
    Script.attempts = [done]
    assert make_launcher().run() == 0
    assert "waiting for chest-old of the same release to leave" in heard.text
    assert "chest-new" not in heard.text


def test_an_api_server_that_is_away_for_a_while_does_no_harm(cluster, make_launcher, monkeypatch):
    monkeypatch.setattr(launcher_module, "_PAUSE_SECONDS", 0.05)
    answers = [ClusterError("/apis", 500, "was the answer", "wait"), ClusterError("/apis", "timed out", "kept", "wait")]
    job = cluster.job

    def flaky(name: str) -> dict:
        if answers:
            raise answers.pop()
        return job(name)

    monkeypatch.setattr(cluster, "job", flaky)
    Script.attempts = [done]
    assert make_launcher().run() == 0


def test_a_refusal_of_the_api_server_is_for_good(cluster, make_launcher, monkeypatch):
    def refuse(_name: str) -> dict:
        raise ClusterError("/apis/kubeflow.org", 403, "was the answer (forbidden)", "grant it")

    monkeypatch.setattr(cluster, "job", refuse)
    assert make_launcher().run() == 4
    assert cluster.retries_ended


def test_progress_of_rank_0_is_told_on_the_job(cluster, make_launcher):
    def train(attempt: int) -> None:
        Script.beat(attempt, 0, step=50.0, loss=0.5)
        Script.beat(attempt, 1, step=51.0)
        done(attempt)

    Script.attempts = [train]
    make_launcher().run()
    assert cluster.annotations["cxr-train.io/percent"] == "50.0"
    assert cluster.annotations["cxr-train.io/loss"] == "0.5000"


def test_what_a_late_rank_of_an_older_attempt_says_is_not_heard(make_launcher, capsys):
    def train(attempt: int) -> None:
        Script.channels[0].say(kind="line", rank=0, attempt=attempt - 1, text="a ghost")
        Script.channels[0].say(kind="line", rank=0, attempt=attempt, text="step 1")
        Script.end(attempt - 1, 1, 3)
        done(attempt)

    Script.attempts = [train]
    assert make_launcher().run() == 0
    assert capsys.readouterr().out == "step 1\n"


def _pod_of(job: str) -> dict:
    return {
        "metadata": {"name": job, "labels": {"training.kubeflow.org/job-name": job}},
        "status": {"phase": "Running"},
    }


def test_events_of_a_pod_that_was_replaced_are_dropped(make_launcher):
    crew = make_launcher().crew
    while not isinstance(crew.next(), Pods):
        pass
    crew.take(Unreached(0, "an older uid", "gone"))
    assert crew.workers[0].why != "gone"
