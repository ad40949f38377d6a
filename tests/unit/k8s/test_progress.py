"""Progress as annotations: what is known, told soon, and not too often."""

import threading
import time

import pytest

from k8s import progress
from k8s.progress import Annotator
from trainer.errors import ClusterError


def test_a_beat_becomes_annotations():
    beat = {"phase": "step", "step": 30.0, "steps": 120.0, "epoch": 2.0, "loss": 0.16342, "films_per_second": 41.24}
    assert progress.of_beat(beat | {"eta_seconds": 720.0}) == {
        "step": "30",
        "steps": "120",
        "percent": "25.0",
        "epoch": "2",
        "loss": "0.1634",
        "films-per-second": "41.2",
        "eta": "12m",
    }


def test_before_training_has_begun_there_is_nothing_to_tell():
    assert progress.of_beat({"phase": "starting", "step": 0.0, "steps": 0.0}) == {}


def test_our_annotations_are_told_from_others():
    job = {"metadata": {"annotations": {"cxr-train.io/restarts": "2", "helm.sh/chart": "x"}}}
    assert progress.read(job) == {"restarts": "2"}
    assert progress.read({"metadata": {}}) == {}


def test_the_first_values_are_told_at_once_and_the_last_at_the_end():
    told, first = [], threading.Event()

    def patch(values):
        told.append(dict(values))
        first.set()

    annotator = Annotator(patch, pytest.fail)
    annotator.set({"phase": "Training"})
    assert first.wait(5)
    for step in range(50):
        annotator.set({"step": str(step)})
    annotator.close()
    assert len(told) == 2, "the period lies between two patches"
    assert told[0]["cxr-train.io/phase"] == "Training"
    assert told[1]["cxr-train.io/step"] == "49"
    assert "cxr-train.io/phase" not in told[1], "what has not changed is not told again"
    assert told[1]["cxr-train.io/updated"].endswith("+00:00")


def test_a_refusal_is_told_once_and_holds_nothing_up(monkeypatch):
    monkeypatch.setattr(progress, "PERIOD_SECONDS", 0.0)
    warned, tried = [], threading.Semaphore(0)

    def patch(_values):
        tried.release()
        raise ClusterError("mpijobs/x", 403, "was the answer", "ask")

    annotator = Annotator(patch, warned.append)
    began = time.monotonic()
    for step in range(3):
        annotator.set({"step": str(step)})
        assert tried.acquire(timeout=5)
    annotator.close()
    assert time.monotonic() - began < 5
    assert warned == ["progress is not shown on the MPIJob: mpijobs/x: 403 was the answer; ask"]
