"""Films in a bucket: three pods prepare them, two workers train on them, one is lost, and what they score lies there.

Needs CXR_TRAIN_E2E_BUCKET; see tests/e2e/bucket.py.
"""

import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.bucket import VARIABLE, Bucket
from tests.e2e.conftest import CHART, SMALL, Release, merged, run
from trainer.data.shard.manifest import SPLITS, read_manifest

PRESET = yaml.safe_load((CHART / "presets" / "s3.yaml").read_text())
PODS = 3
SECRET = "store"


class Trained:
    """A release that has prepared, trained, lost a worker and scored."""

    def __init__(self, release: Release, bucket: Bucket, films: int) -> None:
        self.release, self.bucket, self.films = release, bucket, films
        self.log = self.end = ""
        self.resumed = 0


@pytest.fixture(scope="module")
def bucket() -> Iterator[Bucket]:
    """A folder of the bucket that the environment names."""
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} is not set: no bucket to try on")
    made = Bucket(f"{os.environ[VARIABLE]}/e2e-{uuid.uuid4().hex[:8]}")
    yield made
    made.store.delete([each.name for each in made.store.entries()])


@pytest.fixture(scope="module")
def trained(
    make_namespace: Callable[..., str], bucket: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    release = Release(make_namespace(**{"pod-security.kubernetes.io/enforce": "restricted"}))
    films = bucket.put_films(tmp_path_factory.mktemp("phantoms"))
    literals = [f"--from-literal={name}={value}" for name, value in bucket.credentials.items()]
    release.kubectl("create", "secret", "generic", SECRET, *literals)
    release.helm("install", merged(PRESET, _values(bucket)))
    made = Trained(release, bucket, films)
    log = release.launcher_log()
    # 30 steps an epoch, and a checkpoint every 20: several are committed by then.
    log.hears(r"epoch 3/\d+  step")
    release.kubectl("delete", "pod", release.worker(1), "--force", "--grace-period=0")
    made.resumed = int(re.search(r"resumed from step (\d+)", log.hears("resumed from step")).group(1))
    made.end = release.ended()
    made.log = log.to_the_end()
    yield made
    release.end()


def _values(bucket: Bucket) -> dict[str, Any]:
    """The preset, with this bucket for its own, and small enough for two cores."""
    place = f"{bucket.address}/set"
    training = {
        # About 45 films a shard.
        "prepare": {**bucket.prepare_settings(), **SMALL["training"]["prepare"], "shard_mebibytes": 0.1},
        "data": {**{split: f"{place}/{split}" for split in SPLITS}, "audit": True},
        "checkpoint": {"directory": f"{bucket.address}/runs/chest", "every_steps": 20},
        "train": {"epochs": 10, "validate_every_epochs": 5},
    }
    resources = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}}
    return {
        "existingSecret": SECRET,
        "prepare": {"enabled": True, "workers": PODS, "resources": resources},
        "training": training,
    }


def test_each_pod_prepares_its_part_of_the_films(trained: Trained) -> None:
    pods = trained.release.cluster.pods("app.kubernetes.io/component=prepare")
    assert [each["status"]["phase"] for each in pods] == ["Succeeded"] * PODS
    indexes = {each["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for each in pods}
    assert indexes == {str(index) for index in range(PODS)}
    said = [trained.release.kubectl("logs", each["metadata"]["name"]) for each in pods]
    assert all(said)


def test_the_sets_are_whole(trained: Trained) -> None:
    sets = trained.bucket.store.under("set")
    counts = {split: read_manifest(sets.under(split)).films for split in SPLITS}
    assert sum(counts.values()) == trained.films
    assert min(counts.values()) > 0


def test_training_waits_for_the_films(trained: Trained) -> None:
    (launcher,) = trained.release.pods("launcher")
    said = trained.release.kubectl("logs", launcher["metadata"]["name"], "-c", "wait-for-films")
    assert re.search(rf"is at work: \d of {PODS} pods are done", said)
    assert said.endswith("the films are prepared\n")


def test_a_worker_that_is_lost_costs_no_more_than_the_steps_since_the_last_checkpoint(trained: Trained) -> None:
    assert trained.end == "Complete", trained.log
    assert re.search(f"{trained.release.worker(1)} was lost: .*; restart 1", trained.log)
    assert trained.resumed >= 20
    assert trained.release.annotations()["restarts"] == "1"


def test_checkpoints_and_scores_lie_in_the_bucket(trained: Trained) -> None:
    names = trained.bucket.names("runs/chest")
    assert [each for each in names if re.fullmatch(r"step-[^/]+/manifest\.json", each)]
    scores = json.loads(trained.bucket.store.read("runs/chest/scores-test/scores.json"))
    assert 0.0 <= scores["mean_auroc"]["value"] <= 1.0


def test_no_volume_is_claimed(trained: Trained) -> None:
    assert trained.release.kubectl("get", "pvc", "-o", "name") == ""


def test_every_film_was_seen_once_an_epoch(trained: Trained) -> None:
    settings = [f"checkpoint.directory={trained.bucket.address}/runs/chest"]
    settings.append(f"data.training={trained.bucket.address}/set/training")
    sets = [part for each in settings for part in ("--set", each)]
    done = subprocess.run(
        [sys.executable, "-m", "trainer.cli", "audit", *sets], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_credential_is_written_down(trained: Trained) -> None:
    secret = trained.bucket.credentials["AWS_SECRET_ACCESS_KEY"]
    shown = trained.release.kubectl("get", "configmaps,mpijobs,jobs,pods,events", "-o", "yaml")
    assert secret not in shown
    for pod in trained.release.cluster.pods("app.kubernetes.io/name=cxr-train"):
        assert secret not in trained.release.kubectl("logs", pod["metadata"]["name"], "--all-containers")


def test_status_tells_the_end(trained: Trained) -> None:
    said = trained.release.status()
    assert "Succeeded" in said
    assert "restarts  1" in said


def test_the_doctor_finds_the_keys_of_the_secret(trained: Trained) -> None:
    values = ("-f", str(CHART / "presets" / "s3.yaml"), "--set", f"existingSecret={SECRET},workers.gpusPerWorker=0")
    done = trained.release.cxr_train("doctor", "--chart", str(CHART), *values)
    assert f"Secret {SECRET} is there" in done.stdout
    assert "missing to open" not in done.stdout
    trained.release.kubectl("create", "secret", "generic", "half", "--from-literal=AWS_ACCESS_KEY_ID=a")
    half = trained.release.cxr_train("doctor", "--chart", str(CHART), *values, "--set", "existingSecret=half")
    assert half.returncode == 4
    assert "with Secret half, AWS_SECRET_ACCESS_KEY is still missing to open s3://" in half.stdout
    assert run("kubectl", "get", "secret", "-n", trained.release.namespace, SECRET, "-o", "name")
