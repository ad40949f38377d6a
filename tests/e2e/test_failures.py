"""A job that cannot run says why in one line: in the log, the termination message, the MPIJob and the status."""

from tests.e2e.conftest import ENDLESS, Release, merged


def test_a_wrong_image_is_named(release: Release) -> None:
    release.helm("install", {"image": {"repository": "localhost/no-such", "tag": "9", "pullPolicy": "Never"}})
    release.until(lambda pods: len(pods) == 2 and all(_waits_for(each, "ErrImageNeverPull") for each in pods))
    said = release.status()
    assert "ErrImageNeverPull: image localhost/no-such:9" in said


def test_a_missing_secret_is_named(release: Release) -> None:
    release.helm("install", {"existingSecret": "no-such-secret"})
    log = release.launcher_log()
    log.hears(r'CreateContainerConfigError: secret "no-such-secret" not found')
    assert release.ended() == "Failed"
    _is_told_everywhere(release, 'secret "no-such-secret" not found')
    assert len(release.pods("launcher")) == 1, "a permanent failure is not tried again"


def test_too_little_memory_is_named(release: Release) -> None:
    # Films of 224 pixels in batches that a small limit cannot hold; drawing and preparing them fits.
    greedy = {
        "workers": {"count": 1, "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "700Mi"}}},
        "training": {
            "phantom": {"films": 300},
            "prepare": {"image_size": 224, "processes": 1},
            "train": {"global_batch_size": 128},
            "model": {"name": "resnet34"},
            "restarts": {"limit": 1},
        },
    }
    release.helm("install", greedy)
    log = release.launcher_log()
    log.hears("killed for want of memory, at its limit of 0.68 GiB")
    assert release.ended() == "Failed"
    _is_told_everywhere(release, "killed for want of memory")
    assert "raise the worker's memory limit" in release.status()


def test_an_error_of_the_settings_is_not_tried_again(release: Release) -> None:
    release.helm("install", merged(ENDLESS, {"training": {"model": {"name": "resnet99"}}}))
    assert release.ended() == "Failed"
    _is_told_everywhere(release, "model.name: 'resnet99'")
    assert len(release.pods("launcher")) == 1


def _waits_for(pod: dict, reason: str) -> bool:
    containers = [*pod["status"].get("initContainerStatuses", []), *pod["status"].get("containerStatuses", [])]
    return any(each.get("state", {}).get("waiting", {}).get("reason") == reason for each in containers)


def _is_told_everywhere(release: Release, words: str) -> None:
    (launcher,) = release.pods("launcher")
    (container,) = launcher["status"]["containerStatuses"]
    assert words in container["state"]["terminated"]["message"]
    assert words in release.annotations()["reason"]
    assert words in release.kubectl("logs", launcher["metadata"]["name"])
    said = release.status()
    assert "Failed" in said
    assert words in said
