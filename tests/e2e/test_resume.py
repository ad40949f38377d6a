"""A job that is deleted, or changed, goes on at the right batch."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import ENDLESS, Release, merged, run

KEPT = {"checkpoint": {"persistence": {"existingClaim": "runs"}}}


@pytest.fixture
def kept(release: Release, tmp_path: Path) -> Iterator[Release]:
    """A release with a claim of its own: of the default storage class, else of a folder of this machine, the node."""
    classes = run("kubectl", "get", "storageclass", "-o", "name")
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "runs", "namespace": release.namespace},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volume = release.namespace
    if not classes.strip():
        if os.geteuid():
            pytest.skip("no storage class, and not root on the node")
        folder = tmp_path / "runs"
        folder.mkdir(mode=0o777)
        for each in (folder, *folder.parents):
            each.chmod(each.stat().st_mode | (0o777 if each == folder else 0o111))
        folder.chmod(0o777)
        claim["spec"] |= {"storageClassName": "", "volumeName": volume}
        _apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "capacity": {"storage": "1Gi"},
                    "hostPath": {"path": str(folder), "type": "Directory"},
                    "persistentVolumeReclaimPolicy": "Retain",
                    "storageClassName": "",
                },
            }
        )
    _apply(claim)
    yield release
    release.uninstall()
    run("kubectl", "delete", "persistentvolume", volume, "--wait=false", "--ignore-not-found", check=False)


def test_a_job_deleted_in_mid_epoch_goes_on_at_the_next_batch(kept: Release) -> None:
    kept.helm("install", merged(ENDLESS, KEPT, {"training": {"checkpoint": {"every_steps": 0}}}))
    log = kept.launcher_log()
    log.hears(r"step 5/")
    job = kept.job_name
    kept.kubectl("delete", "mpijob", job, "--wait=false")
    text = log.hears("was the last one, its checkpoint is committed")
    stopped = int(re.search(r"step (\d+)", text).group(1))
    kept.until(lambda pods: not pods, "launcher", job)
    kept.uninstall()
    kept.helm("install", merged(ENDLESS, KEPT))
    again = kept.launcher_log()
    resumed = again.hears("resumed from step")
    steps = int(re.search(r"step \d+/(\d+)", again.hears(r"epoch \d+/\d+  step")).group(1))
    assert f"resumed from step {stopped} (epoch {stopped // steps}, batch {stopped % steps})" in resumed


def test_an_upgrade_to_one_worker_waits_for_its_predecessor_and_goes_on(kept: Release) -> None:
    kept.helm("install", merged(ENDLESS, KEPT, {"training": {"checkpoint": {"every_steps": 0}}}))
    log = kept.launcher_log()
    log.hears(r"step 5/")
    first = kept.job_name
    kept.helm("upgrade", merged(ENDLESS, KEPT, {"workers": {"count": 1}}))
    stopped = int(re.search(r"step (\d+)", log.hears("was the last one, its checkpoint is committed")).group(1))
    assert kept.job_name != first
    again = kept.launcher_log()
    again.hears(f"waiting for {first} of the same release to leave")
    assert f"resumed from step {stopped} " in again.hears("resumed from step")
    again.hears(r"epoch \d+/\d+  step")
    assert "1 ranks" in again.hears("training: simple_cnn")


def _apply(thing: dict) -> None:
    run("kubectl", "apply", "-f", "-", stdin=yaml.safe_dump(thing))
