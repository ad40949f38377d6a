"""A finished set, looked at: damage is found and named, the sheet reads only the films it shows."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import MakeSet
from tests.s3 import Bucket
from trainer.data.inspection.sets import PreparedSet, find_sets
from trainer.data.inspection.sheet import contact_sheet, draw_films
from trainer.data.inspection.verifying import verify
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Range
from trainer.errors import DataError


@pytest.fixture
def sets(small_sets: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    shutil.copytree(small_sets, tmp_path / "sets")
    return tmp_path / "sets"


def found(place: Path) -> list[PreparedSet]:
    return find_sets(FolderStore(place, "inspect"))


def ignore(done: int, total: int) -> None:
    del done, total


def test_a_set_is_found_at_its_place_and_all_from_above(small_sets: Path) -> None:
    assert [each.manifest.films for each in found(small_sets / "validation")] == [70]
    assert [each.manifest.films for each in found(small_sets)] == [150, 70]


def test_a_place_without_a_set_is_named_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^inspect: '.*' holds no manifest.json, nor does training/, .*; run 'cxr-tr"):
        found(tmp_path)


def test_sound_sets_are_read_to_the_last_byte(small_sets: Path) -> None:
    steps: list[tuple[int, int]] = []
    verify(found(small_sets), lambda done, total: steps.append((done, total)))
    total = sum(path.stat().st_size for path in small_sets.rglob("*.tfrecord"))
    assert steps[-1] == (total, total)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "name",
    ["training/shard-00001.tfrecord", "validation/shard-00000.tfrecord.index.npy", "training/patients.bin"],
)
@pytest.mark.parametrize(
    ("damage", "told"), [(flip, "the SHA-256"), (cut, r"\d+ bytes instead|the SHA-256"), (Path.unlink, "is missing")]
)
def test_every_damaged_file_is_named(sets: Path, name: str, damage: object, told: str) -> None:
    damage(sets / name)  # type: ignore[operator]
    with pytest.raises(DataError, match=rf"^inspect: .* is damaged: {sets / name} .*({told}).*; copy ") as error:
        verify(found(sets), ignore)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)


def test_two_damaged_files_are_both_named(sets: Path) -> None:
    flip(sets / "training" / "shard-00000.tfrecord")
    flip(sets / "training" / "shard-00003.tfrecord")
    with pytest.raises(DataError, match=r"shard-00000.tfrecord has .*; .*shard-00003.tfrecord has "):
        verify(found(sets), ignore)


def test_sets_that_share_patients_are_no_sound_sets(make_set: MakeSet, tmp_path: Path) -> None:
    make_set(tmp_path / "training", "training", 20)
    make_set(tmp_path / "test", "test", 10)
    with pytest.raises(DataError, match="shares 5 patients with"):
        verify(found(tmp_path), ignore)


class Watched(FolderStore):
    """Counts what is read of shards."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "inspect")
        self.ranges: dict[str, Sequence[Range]] = {}

    def read(self, name: str) -> bytes:
        assert not name.endswith(".tfrecord"), "whole shards are not read"
        return super().read(name)

    def read_ranges(self, name: str, ranges: Sequence[Range]) -> list[bytes]:
        self.ranges[name] = ranges
        return super().read_ranges(name, ranges)


def test_the_sheet_reads_its_films_alone(small_sets: Path) -> None:
    store = Watched(small_sets / "training")
    (given,) = find_sets(store)
    films = draw_films(given, seed=3, count=7)
    assert len(films) == 7
    side = given.manifest.image.height
    assert [each.bytes for ranges in store.ranges.values() for each in ranges] == [side * side] * 7


def test_a_sheet_has_each_sets_films_and_is_the_same_for_the_same_seed(small_sets: Path) -> None:
    first, again, other = (contact_sheet(found(small_sets), seed) for seed in (0, 0, 1))
    assert first == again != other
    with Image.open(io.BytesIO(first)) as image:
        assert image.size[1] > 2 * 4 * 192
        assert image.info == {}


def test_the_caption_is_the_films_own_labels(small_sets: Path) -> None:
    (given,) = found(small_sets / "validation")
    films = draw_films(given, seed=0, count=given.manifest.films)
    assert len(films) == given.manifest.films
    for film in films:
        bands = np.array_split(film.image, len(given.manifest.classes))
        # A class is a bright band in these films.
        present = [name for name, band in zip(given.manifest.classes, bands, strict=True) if band.mean() > 110]
        assert film.caption == (", ".join(each.replace("_", " ") for each in present) or "none of the findings")


def test_sets_in_a_bucket_are_inspected_alike(small_sets: Path, s3: Bucket) -> None:
    shutil.copytree(small_sets, s3.folder / "sets")
    remote = find_sets(open_store(f"{s3.url}/sets", s3.config, "inspect"))
    verify(remote, ignore)
    assert contact_sheet(remote, 5) == contact_sheet(found(small_sets), 5)
    flip(s3.folder / "sets" / "training" / "shard-00002.tfrecord")
    with pytest.raises(DataError, match=rf"{s3.url}/sets/training/shard-00002.tfrecord has the SHA-256"):
        verify(remote, ignore)
