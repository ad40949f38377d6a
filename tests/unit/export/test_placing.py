"""An export is what its facts list: nothing of an earlier one stays beside it."""

import hashlib
import json
from pathlib import Path

import pytest

from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.export.placing import place


@pytest.fixture
def out(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "out", "export.destination")


def written(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_facts_list_every_file_by_its_hash(out: FolderStore, tmp_path: Path) -> None:
    place(out, written(tmp_path / "made", "model.keras", "saved_model/variables/a"), {"checkpoint": "step-1"})
    facts = json.loads(out.read("export.json"))
    assert facts["checkpoint"] == "step-1"
    assert facts["sha256"] == {
        name: hashlib.sha256(name.encode()).hexdigest() for name in ("model.keras", "saved_model/variables/a")
    }


def test_an_earlier_export_goes_and_what_is_not_its_own_stays(out: FolderStore, tmp_path: Path) -> None:
    place(out, written(tmp_path / "first", "model.onnx", "saved_model/variables/old"), {})
    out.write("notes.txt", b"mine")
    place(out, written(tmp_path / "second", "model.keras"), {})
    assert [each.name for each in out.entries()] == ["export.json", "model.keras", "notes.txt"]


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}"])
def test_a_place_with_damaged_facts_is_left_alone(out: FolderStore, tmp_path: Path, content: bytes) -> None:
    out.write("export.json", content)
    with pytest.raises(DataError, match=r"^export\.destination: .* holds a damaged export\.json; empty it"):
        place(out, written(tmp_path / "made", "model.keras"), {})
    assert out.read("export.json") == content
