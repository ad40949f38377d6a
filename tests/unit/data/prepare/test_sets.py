"""What prepare makes: sets that hold every film once with its labels, in an order of their own, and no name in them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.unit.data.prepare.given import ALL_FILMS, SIDE, film_level, run, settings, shards, tree
from trainer.config import ColumnsConfig, StoreConfig
from trainer.data.film.images import decode_stored
from trainer.data.prepare.run import prepare
from trainer.data.shard.manifest import read_manifest
from trainer.data.shard.patients import shared_patients
from trainer.data.store.folder import FolderStore
from trainer.labels import NIH15


def test_every_film_is_in_one_set_with_its_pixels_labels_and_patient(prepared: Path) -> None:
    seen: list[str] = []
    for split in ("training", "validation", "test"):
        for shard in shards(prepared / split):
            names = shard.index.ids()
            for name, film, label in zip(names, shard.films, shard.index.labels, strict=True):
                findings = ("Mass", "Hernia"), ("No Finding",), ("Edema",)
                expected = findings[ALL_FILMS.index(name) % 3]
                assert film.image.tolist() == [film_level(name)] * SIDE**2
                assert tuple(label) == tuple(float(each in expected) for each in NIH15.classes)
                assert (int(name[:8]) % 5 == 0) == (split == "test")
            seen += names
    assert sorted(seen) == ALL_FILMS


def test_the_manifest_counts_what_the_table_says(prepared: Path) -> None:
    store = FolderStore(prepared, "")
    manifests = {split: read_manifest(store.under(split)) for split in ("training", "validation", "test")}
    assert sum(each.films for each in manifests.values()) == len(ALL_FILMS)
    assert manifests["test"].films == 24
    assert manifests["test"].patients == 12
    assert sum(each.counts["Mass"].positive for each in manifests.values()) == 40
    for each in manifests.values():
        hernia = each.counts["Hernia"]
        assert hernia.positive + hernia.negative + hernia.unknown == each.films
        assert hernia.prevalence == hernia.positive / each.films
        assert sum(shard.records for shard in each.shards) == each.films
        assert len(each.shards) > 2


def test_the_shards_of_a_set_are_of_equal_length(prepared: Path) -> None:
    for split in ("training", "validation", "test"):
        lengths = {shard.records for shard in read_manifest(FolderStore(prepared / split, "")).shards}
        assert max(lengths) - min(lengths) <= 1


def test_the_sets_share_no_patient(prepared: Path) -> None:
    stores = [FolderStore(prepared / split, "") for split in ("training", "validation", "test")]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert shared_patients(stores[a], read_manifest(stores[a]), stores[b], read_manifest(stores[b])) == 0


def test_films_are_shuffled(prepared: Path) -> None:
    names = [name for shard in shards(prepared / "training") for name in shard.index.ids()]
    assert names != sorted(names)


def test_two_processes_give_the_bytes_of_one(source: Path, prepared: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", processes=2))
    assert tree(tmp_path / "sets") == tree(prepared)


def test_where_source_and_destination_are_changes_no_byte(source: Path, prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").symlink_to(source)
    run(settings(tmp_path / "moved", tmp_path / "sets"))
    assert tree(tmp_path / "sets") == tree(prepared)


def test_another_seed_gives_another_order(source: Path, prepared: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", seed=1))
    assert tree(tmp_path / "sets") != tree(prepared)


def test_progress_reaches_the_number_of_films(source: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    config = settings(source, tmp_path / "sets")
    prepare(config, StoreConfig(), NIH15, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(ALL_FILMS), len(ALL_FILMS))
    assert steps == sorted(steps)


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_films_may_be_stored_compressed(source: Path, tmp_path: Path, encoding: str) -> None:
    run(settings(source, tmp_path / "sets", encoding=encoding))
    shard = next(shards(tmp_path / "sets" / "training"))
    out = np.empty((SIDE, SIDE), np.uint8)
    decode_stored(shard.films[0].image.data, encoding, out)
    assert np.abs(out.astype(int) - film_level(shard.index.ids()[0])).max() <= 2


def test_neither_patients_nor_paths_are_stored(source: Path, tmp_path: Path) -> None:
    rows = [f"{name},Mass,Erika-Musterfrau-{name[:8]}" for name in ALL_FILMS]
    (tmp_path / "table.csv").write_text("\n".join(["film,findings,patient", *rows]))
    changes = {"catalog": "csv", "columns": ColumnsConfig().model_dump(), "split": "patient"}
    run(settings(source, tmp_path / "sets", table=str(tmp_path / "table.csv"), **changes))
    for content in tree(tmp_path / "sets").values():
        assert b"Musterfrau" not in content
        assert str(source).encode() not in content
        assert str(tmp_path).encode() not in content


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("trainer.data.prepare.run, trainer.data.source.phantom", "tensorflow"),
        # What each process imports before its first film.
        ("trainer.data.prepare.decoding", "pandas"),
    ],
)
def test_preparing_does_not_import_what_takes_long(modules: str, absent: str) -> None:
    code = f"import sys, {modules}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
