"""The manifest and the patients beside it: what opens a set, and what refuses to."""

import json
from pathlib import Path

import pytest

from trainer.data.shard.manifest import Made, Manifest, read_manifest, write_manifest
from trainer.data.shard.patients import PatientHasher, refuse_shared_patients, shared_patients, write_patients
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError


def folder(path: Path) -> FolderStore:
    return FolderStore(path, "data.test")


def make_set(directory: Path, patients: list[str], key: str = "") -> Manifest:
    hasher = PatientHasher(key)
    manifest = Manifest(
        labels="nih15",
        classes=("Mass",),
        split="training",
        films=len(patients),
        patients=len(set(patients)),
        image={"height": 8, "width": 8, "encoding": "raw"},
        counts={"Mass": {"positive": 0, "negative": 0, "unknown": len(patients), "prevalence": None}},
        shards=(),
        patients_file=write_patients(folder(directory), map(hasher.hash, patients), hasher.fingerprint),
        made=Made(program="0", catalog="nih", seed=0, films_bad=0, films_missing=0),
    )
    write_manifest(folder(directory), manifest)
    return manifest


def test_a_manifest_comes_back(tmp_path: Path) -> None:
    written = make_set(tmp_path / "a", ["1", "2", "1"])
    assert read_manifest(folder(tmp_path / "a")) == written


def test_equal_sets_have_equal_bytes(tmp_path: Path) -> None:
    make_set(tmp_path / "a", ["1", "2"])
    make_set(tmp_path / "b", ["2", "1"])
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_no_manifest_names_the_setting_and_the_verb(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data.test: '.*' has no manifest.json; run 'cxr-train prepare'") as error:
        read_manifest(folder(tmp_path))
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    ("version", "cure"), [(1, "run 'cxr-train prepare' into a new place"), (4, "update cxr-train")]
)
def test_another_format_is_refused_before_anything_else_is_read(tmp_path: Path, version: int, cure: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format_version": version, "news": True}))
    with pytest.raises(
        DataError, match=rf"data.test: .* has format version {version}, this program reads 2 and 3; {cure}"
    ):
        read_manifest(folder(tmp_path))


def test_a_set_of_format_version_2_is_read_and_counts_no_groups(tmp_path: Path) -> None:
    make_set(tmp_path, ["1"])
    content = json.loads((tmp_path / "manifest.json").read_text())
    del content["people"]
    (tmp_path / "manifest.json").write_text(json.dumps(content | {"format_version": 2}))
    read = read_manifest(folder(tmp_path))
    assert (read.format_version, read.films, read.people) == (2, 1, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format_version": 2}', "\x00"])
def test_a_damaged_manifest_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(
        DataError, match=r"^data.test: '.*' holds a damaged manifest.json \(.*\); copy the set anew"
    ) as error:
        read_manifest(folder(tmp_path))
    assert "\n" not in str(error.value)


def test_a_shard_outside_the_folder_is_damage(tmp_path: Path) -> None:
    make_set(tmp_path / "a", ["1"])
    content = json.loads((tmp_path / "a" / "manifest.json").read_text())
    content["shards"] = [{"name": "../x", "bytes": 1, "records": 1, "sha256": "0" * 64, "index_sha256": "0" * 64}]
    (tmp_path / "a" / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"shards.0.name"):
        read_manifest(folder(tmp_path / "a"))


def test_shared_patients_are_counted_once(tmp_path: Path) -> None:
    a = make_set(tmp_path / "a", ["1", "2", "3", "3"])
    b = make_set(tmp_path / "b", ["3", "2", "2", "4"])
    assert shared_patients(folder(tmp_path / "a"), a, folder(tmp_path / "b"), b) == 2


def test_sets_that_share_patients_are_refused_with_their_number(tmp_path: Path) -> None:
    a, b = make_set(tmp_path / "a", ["1", "2"]), make_set(tmp_path / "b", ["2", "3"])
    with pytest.raises(DataError, match=r"^data.test: '.*/b' shares 1 patients with .*/a; prepare both"):
        refuse_shared_patients(folder(tmp_path / "a"), a, folder(tmp_path / "b"), b)


def test_sets_that_share_none_are_let_through(tmp_path: Path) -> None:
    a, b = make_set(tmp_path / "a", ["1"]), make_set(tmp_path / "b", ["2"])
    refuse_shared_patients(folder(tmp_path / "a"), a, folder(tmp_path / "b"), b)


def test_hashes_of_different_keys_are_not_compared(tmp_path: Path) -> None:
    a, b = make_set(tmp_path / "a", ["1"], key="one"), make_set(tmp_path / "b", ["2"], key="two")
    with pytest.raises(DataError, match=r"^CXR_TRAIN_PATIENT_KEY: .* prepare both with the same key"):
        shared_patients(folder(tmp_path / "a"), a, folder(tmp_path / "b"), b)


@pytest.mark.parametrize("content", [b"", b"12345678"])
def test_a_changed_patients_file_is_noticed(tmp_path: Path, content: bytes) -> None:
    a, b = make_set(tmp_path / "a", ["1"]), make_set(tmp_path / "b", ["2"])
    (tmp_path / "b" / "patients.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"holds a patients.bin with the SHA-256 \w+, in the manifest it is"):
        shared_patients(folder(tmp_path / "a"), a, folder(tmp_path / "b"), b)


def test_a_key_of_any_length_changes_every_hash() -> None:
    keys = ["", "short", "x" * 500]
    assert len({PatientHasher(key).hash("1") for key in keys}) == 3
    assert len({PatientHasher(key).fingerprint for key in keys}) == 3
