"""Films prepared with different settings do not mix in one destination."""

import json
from pathlib import Path

import pytest

from tests.unit.data.prepare.given import refusal, run, settings, tree
from tests.unit.data.prepare.test_interruption import interrupt_halfway
from trainer.labels import NIH14


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"image_size": 32}, "prepare.image_size '16', which is now '32'"),
        ({"seed": 5}, "prepare.seed"),
        ({"dicom": {"multi_frame": "first"}}, "prepare.dicom"),
    ],
)
def test_other_settings_do_not_mix_with_what_is_there(
    source: Path, tmp_path: Path, changes: dict[str, object], key: str
) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    config = settings(source, tmp_path / "sets", **changes)
    refusal(config, "prepare.destination", str(tmp_path), key, "remove it", "same settings")


def test_another_label_set_does_not_mix_with_what_is_there(source: Path, tmp_path: Path) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    refusal(settings(source, tmp_path / "sets"), "data.labels 'nih15', which is now 'nih14'", labels=NIH14)


def test_another_patient_key_does_not_mix_with_what_is_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    monkeypatch.setenv("CXR_TRAIN_PATIENT_KEY", "another")
    refusal(settings(source, tmp_path / "sets"), "CXR_TRAIN_PATIENT_KEY")


def test_another_program_does_not_mix_with_what_is_there(source: Path, tmp_path: Path) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    path = tmp_path / "sets" / "prepare.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"program": "0.0.0"}))
    refusal(settings(source, tmp_path / "sets"), "was begun with program '0.0.0'")


def test_another_program_may_come_to_a_complete_destination(source: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets"))
    path = tmp_path / "sets" / "prepare.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"program": "0.0.0"}))
    assert run(settings(source, tmp_path / "sets")).already_complete


def test_damaged_settings_of_an_earlier_run_stop_it(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    (tmp_path / "sets" / "prepare.json").write_bytes(b'{"prepare.seed')
    refusal(config, "prepare.destination", "holds a damaged prepare.json", "remove it")


def test_a_place_that_is_not_prepares_own_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "thesis.txt").touch()
    refusal(settings(source, tmp_path), "prepare.destination", str(tmp_path), "no prepare.json", "name another")


@pytest.mark.parametrize("changes", [{"processes": 2}, {"workers": 1, "worker": 0}, {"on_bad_film": "skip"}])
def test_what_changes_no_byte_may_change(
    source: Path, prepared: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    run(settings(source, tmp_path / "sets", **changes))
    assert tree(tmp_path / "sets") == tree(prepared)
