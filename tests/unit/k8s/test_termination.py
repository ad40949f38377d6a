"""A job that cannot even begin ends for good, and says why where people look."""

from pathlib import Path

import pytest

from k8s.place import Place
from k8s.termination import failing_for_good
from trainer.errors import ClusterError, UsageError


class Told:
    """A cluster that notes what it is told, or refuses all of it."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses, self.annotations, self.ended = refuses, dict[str, str](), list[str]()

    def annotate(self, job: str, annotations: dict[str, str]) -> None:
        self._answer()
        self.annotations |= annotations | {"job": job}

    def end_retries(self, launcher_job: str) -> None:
        self._answer()
        self.ended.append(launcher_job)

    def _answer(self) -> None:
        if self.refuses:
            raise ClusterError("pods", 403, "was the answer", "ask")


TYPO = UsageError("train.device", "cpu", "is set, but there is no such key", "correct it")


@pytest.fixture
def message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "termination-log"
    file.touch()
    monkeypatch.setenv("CXR_TRAIN_TERMINATION_LOG", str(file))
    return file


def test_settings_of_another_version_are_tried_once(place: Place, message: Path) -> None:
    cluster = Told()
    with pytest.raises(UsageError), failing_for_good(cluster, place):
        raise TYPO
    assert message.read_text() == str(TYPO)
    assert cluster.ended == ["chest-1a2b3c4d-launcher"]
    assert cluster.annotations["cxr-train.io/phase"] == "Failed"
    assert cluster.annotations["cxr-train.io/reason"] == str(TYPO)


def test_a_cluster_that_refuses_does_not_hide_the_reason(place: Place, message: Path) -> None:
    with pytest.raises(UsageError, match="no such key"), failing_for_good(Told(refuses=True), place):
        raise TYPO
    assert message.read_text() == str(TYPO)


def test_what_goes_well_ends_nothing(place: Place, message: Path) -> None:
    cluster = Told()
    with failing_for_good(cluster, place):
        pass
    assert (cluster.ended, cluster.annotations, message.read_text()) == ([], {}, "")
