"""What helm says after the install: the next three steps, and what the user should know of checkpoints."""

from typing import Any

import pytest

VARIANTS = ["defaults", "everything", "cpu", "gpu-node", "multi-node", "kueue", "s3", "gcs"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_next_three_steps_are_told(rendered: Any, variant: str) -> None:
    notes = rendered[variant].notes
    assert [line[:3] for line in notes.splitlines() if line[:1].isdigit()] == ["1. ", "2. ", "3. "]
    selector = "app.kubernetes.io/instance=cxr-train,training.kubeflow.org/job-role=launcher"
    assert f"kubectl -n films logs -f --tail=-1 -l {selector}" in notes
    assert "helm -n films test cxr-train" in notes
    assert rendered[variant].job_name in notes


def test_a_run_without_a_claim_is_told_where_its_checkpoints_end(rendered: Any) -> None:
    assert "only while the pod of rank 0 lives" in rendered["cpu"].notes
    assert "cxr-train-checkpoints, after `helm uninstall` too" in rendered["gpu-node"].notes
    assert "kept in s3://BUCKET/runs/cxr-train, after `helm uninstall` too; no volume claim" in rendered["s3"].notes
    assert "rank 0" not in rendered["s3"].notes


def test_own_films_are_the_third_step_of_who_has_none(rendered: Any) -> None:
    assert "--set data.existingClaim=YOUR-CLAIM" in rendered["defaults"].notes
    assert "YOUR-CLAIM" not in rendered["multi-node"].notes


def test_where_films_are_prepared_first_their_logs_are_shown(rendered: Any) -> None:
    name = rendered["everything"].one("Job")["metadata"]["name"]
    assert f"{name} prepares the films first, on 1 pod; training waits" in rendered["everything"].notes
    assert f"--prefix --max-log-requests=5 -l batch.kubernetes.io/job-name={name}" in rendered["everything"].notes
    assert "prepares the films first" not in rendered["s3"].notes


def test_ranks_and_workers_are_counted(rendered: Any, render: Any) -> None:
    assert "6 ranks on 3 workers, on /data/nih/training." in rendered["everything"].notes
    assert "1 rank on 1 worker, on phantom films" in render({"workers": {"count": 1}}).notes


def test_what_holds_the_job_back_is_told(rendered: Any) -> None:
    assert "--set suspend=false" in rendered["everything"].notes
    assert "when the queue training admits it" in rendered["kueue"].notes
