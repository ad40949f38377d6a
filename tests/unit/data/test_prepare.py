"""Prepare: films to shards, the same bytes however it is run or interrupted, and errors that name the cure."""

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from trainer.config import ColumnsConfig, PrepareConfig
from trainer.data.prepare.destination import claimed
from trainer.data.prepare.run import PrepareResult, prepare
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import read_manifest
from trainer.data.shard.patients import shared_patients
from trainer.data.shard.shard import Shard, open_shard
from trainer.data.store.folder import FolderStore
from trainer.errors import CxrError, DataError, UsageError
from trainer.labels import NIH14, NIH15, LabelSet

FILMS = Path(os.environ.get("CXR_TRAIN_TEST_FILMS", Path(__file__).parents[4] / "shared" / "data"))
PATIENTS, FILMS_PER_PATIENT, SIDE = 60, 2, 16


def film_name(patient: int, follow_up: int) -> str:
    return f"{patient:08d}_{follow_up:03d}.png"


def film_level(name: str) -> int:
    """The one gray level of a test film."""
    return int(name[:8]) * 3 + int(name[9:12])


ALL_FILMS = [film_name(patient, k) for patient in range(PATIENTS) for k in range(FILMS_PER_PATIENT)]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films in two subfolders, NIH's table and lists: a fifth of the patients for the test."""
    root = tmp_path_factory.mktemp("source")
    for part in ("images_001", "images_002"):
        (root / part / "images").mkdir(parents=True)
    rows = ["Image Index,Finding Labels,Patient ID"]
    for number, name in enumerate(ALL_FILMS):
        film = Image.fromarray(np.full((40, 40), film_level(name), np.uint8))
        film.save(root / f"images_00{1 + number % 2}" / "images" / name)
        rows.append(f"{name},{('Mass|Hernia', 'No Finding', 'Edema')[number % 3]},{int(name[:8])}")
    (root / "table.csv").write_text("\n".join(rows) + "\n")
    (root / "train.txt").write_text("\n".join(each for each in ALL_FILMS if int(each[:8]) % 5))
    (root / "test.txt").write_text("\n".join(each for each in ALL_FILMS if not int(each[:8]) % 5))
    return root


def settings(root: Path, into: Path, /, **changes: object) -> PrepareConfig:
    """About five films a shard, decoded in this process."""
    base = PrepareConfig(
        source=(str(root),),
        destination=str(into),
        table=str(root / "table.csv"),
        train_list=str(root / "train.txt"),
        test_list=str(root / "test.txt"),
        validation_fraction=0.25,
        image_size=SIDE,
        shard_mebibytes=0.002,
        processes=1,
    )
    return PrepareConfig.model_validate(base.model_dump() | changes)


def run(config: PrepareConfig, labels: LabelSet = NIH15) -> PrepareResult:
    return prepare(config, labels, lambda *_: None)


def refusal(config: PrepareConfig, *parts: str, labels: LabelSet = NIH15, kind: type[CxrError] = DataError) -> None:
    """Asserts that preparing stops with one line that holds ``parts``, and that no set exists."""
    with pytest.raises(kind) as error:
        run(config, labels)
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    assert list(Path(config.destination or "/nowhere").glob("*/manifest.json")) == []
    assert error.value.exit_code == (2 if kind is UsageError else 3)


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def readers(directory: Path) -> Iterator[Shard]:
    manifest = read_manifest(FolderStore(directory, "data.training"))
    return (open_shard(directory, manifest, number) for number in range(len(manifest.shards)))


@pytest.fixture(scope="module")
def prepared(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared without interruption, in one process."""
    destination = tmp_path_factory.mktemp("prepared") / "sets"
    run(settings(source, destination))
    return destination


def test_every_film_is_in_one_set_with_its_pixels_labels_and_patient(prepared: Path) -> None:
    seen: list[str] = []
    for split in ("training", "validation", "test"):
        for reader in readers(prepared / split):
            names = reader.index.ids()
            out = np.empty((len(names), SIDE, SIDE), np.uint8)
            for record, film in enumerate(out):
                reader.image_into(record, film)
            for name, image, label in zip(names, out, reader.labels(range(len(names))), strict=True):
                findings = ("Mass", "Hernia"), ("No Finding",), ("Edema",)
                expected = findings[ALL_FILMS.index(name) % 3]
                assert (image == film_level(name)).all()
                assert tuple(label) == tuple(float(each in expected) for each in NIH15.classes)
                assert (int(name[:8]) % 5 == 0) == (split == "test")
            seen += names
    assert sorted(seen) == ALL_FILMS


def test_the_manifest_counts_what_the_table_says(prepared: Path) -> None:
    manifests = {
        split: read_manifest(FolderStore(prepared / split, "")) for split in ("training", "validation", "test")
    }
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


def test_the_sets_share_no_patient(prepared: Path) -> None:
    for a, b in (("training", "validation"), ("training", "test"), ("validation", "test")):
        stores = {split: FolderStore(prepared / split, "") for split in (a, b)}
        a_set, b_set = read_manifest(stores[a]), read_manifest(stores[b])
        assert shared_patients(stores[a], a_set, stores[b], b_set) == 0


def test_films_are_shuffled(prepared: Path) -> None:
    names = [name for reader in readers(prepared / "training") for name in reader.index.ids()]
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
    prepare(settings(source, tmp_path / "sets"), NIH15, lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(ALL_FILMS), len(ALL_FILMS))
    assert steps == sorted(steps)


# --- interruption

STOP_AT_FIRST_SHARD = """
import multiprocessing, sys
from pathlib import Path
from trainer.config import PrepareConfig
from trainer.data.prepare.run import prepare
from trainer.labels import NIH15

config = PrepareConfig.model_validate_json(sys.argv[1])

def progress(done, total):
    if Path(config.destination, "training", "shard-00000.tfrecord").exists():
        print(done, flush=True)
        sys.stdin.read()

prepare(config, NIH15, progress)
"""


def killed_after_the_first_shard(config: PrepareConfig) -> None:
    """Runs prepare in a process of its own and ends it with SIGKILL; returns once its workers have ended too."""
    command = [sys.executable, "-c", STOP_AT_FIRST_SHARD, config.model_dump_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert 0 < int(process.stdout.readline()) < len(ALL_FILMS)
        process.kill()
        # The workers hold the pipe's other end as well.
        assert process.stdout.read() == b""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ["folder", "archive"])
def test_a_killed_run_goes_on_to_the_bytes_of_an_uninterrupted_one(source: Path, tmp_path: Path, form: str) -> None:
    given = {"source": (str(source if form == "folder" else packed(source, tmp_path)),)}
    config = settings(source, tmp_path / "sets", processes=2, **given)
    killed_after_the_first_shard(config)
    with pytest.raises(DataError, match=r"has no manifest\.json"):
        read_manifest(FolderStore(tmp_path / "sets" / "training", "data.training"))
    finished = sum(np.load(path).size for path in (tmp_path / "sets").glob("*/*.index.npy"))

    result = run(config.model_copy(update={"processes": 1}))
    assert result.films_decoded == len(ALL_FILMS) - finished
    run(settings(source, tmp_path / "whole", **given))
    assert tree(tmp_path / "sets") == tree(tmp_path / "whole")


class Interrupted(Exception):
    pass


def interrupt_halfway(config: PrepareConfig) -> None:
    def progress(done: int, total: int) -> None:
        if done > total / 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        prepare(config, NIH15, progress)


def test_finished_films_are_not_opened_again(source: Path, prepared: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    copy = tmp_path / "copy"
    copy.mkdir()
    finished = {name for path in (tmp_path / "sets").glob("*/*.tfrecord") for name in names_in(path)}
    for path in source.rglob("*.png"):
        (copy / path.name).write_bytes(b"" if path.name in finished else path.read_bytes())
    run(config.model_copy(update={"source": (str(copy),)}))
    assert tree(tmp_path / "sets") == tree(prepared)


def names_in(shard: Path) -> list[str]:
    return ShardIndex(Path(f"{shard}.index.npy").read_bytes()).ids()


def test_a_damaged_finished_shard_is_not_signed(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    path = tmp_path / "sets" / "training" / "shard-00000.tfrecord"
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    refusal(config, str(path), "are not the records of its index", "remove the folder")


def test_damaged_settings_of_an_earlier_run_stop_it(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    interrupt_halfway(config)
    (tmp_path / "sets" / "prepare.json").write_bytes(b'{"prepare.seed')
    refusal(config, "prepare.destination", "holds a damaged prepare.json", "remove the folder")


def test_two_runs_do_not_fill_one_folder(source: Path, tmp_path: Path) -> None:
    config = settings(source, tmp_path / "sets")
    with claimed(tmp_path / "sets", {}):
        refusal(config, "prepare.destination", "is being filled by another", "wait for it, or name another")


def test_a_complete_destination_is_done_at_once(source: Path, tmp_path: Path) -> None:
    first = run(settings(source, tmp_path / "sets"))
    before = tree(tmp_path / "sets")
    again = run(settings(source, tmp_path / "sets"))
    assert (first.already_complete, again.already_complete) == (False, True)
    assert again.films_decoded == 0
    assert again.manifests == first.manifests
    assert again.summary().startswith("already complete: training ")
    assert tree(tmp_path / "sets") == before


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"image_size": 32}, "prepare.image_size '16', which is now '32'"), ({"seed": 5}, "prepare.seed")],
)
def test_other_settings_do_not_mix_with_what_is_there(
    source: Path, tmp_path: Path, changes: dict[str, object], key: str
) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    config = settings(source, tmp_path / "sets", **changes)
    refusal(config, "prepare.destination", str(tmp_path), key, "remove the folder", "same settings")


def test_another_label_set_does_not_mix_with_what_is_there(source: Path, tmp_path: Path) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    refusal(settings(source, tmp_path / "sets"), "data.labels 'nih15', which is now 'nih14'", labels=NIH14)


def test_another_patient_key_does_not_mix_with_what_is_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_halfway(settings(source, tmp_path / "sets"))
    monkeypatch.setenv("CXR_TRAIN_PATIENT_KEY", "another")
    refusal(settings(source, tmp_path / "sets"), "CXR_TRAIN_PATIENT_KEY")


def test_a_folder_that_is_not_prepares_own_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    refusal(settings(source, tmp_path), "prepare.destination", str(tmp_path), "no prepare.json", "name another")


# --- sources


def packed(source: Path, directory: Path) -> Path:
    archive = directory / "films.tar.gz"
    with tarfile.open(archive, "w:gz", dereference=True) as tar:
        for path in sorted(source.rglob("*.png")):
            tar.add(path, path.relative_to(source))
    return archive


def test_an_archive_gives_the_films_of_its_folder(source: Path, prepared: Path, tmp_path: Path) -> None:
    run(settings(source, tmp_path / "sets", source=(str(packed(source, tmp_path)),)))
    for split in ("training", "validation", "test"):
        ours, theirs = (
            read_manifest(FolderStore(tmp_path / "sets" / split, "")),
            read_manifest(FolderStore(prepared / split, "")),
        )
        assert (ours.films, ours.patients, ours.counts) == (theirs.films, theirs.patients, theirs.counts)


def test_files_that_the_table_does_not_name_are_counted(source: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "stranger.png")
    result = run(settings(source, tmp_path / "sets", source=(str(source), str(tmp_path))))
    assert result.files_unlisted == 1


@pytest.mark.parametrize("key", ["source", "destination", "table"])
def test_a_setting_that_is_missing_is_a_usage_error(source: Path, tmp_path: Path, key: str) -> None:
    empty = () if key == "source" else ""
    refusal(settings(source, tmp_path / "sets", **{key: empty}), f"prepare.{key}", "is empty; name", kind=UsageError)


def test_a_source_without_films_stops_it(source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    config = settings(source, tmp_path / "sets", source=(str(tmp_path / "empty"),), on_missing_film="skip")
    refusal(config, "prepare.source", "empty", "holds no film that the table names", "check the path")


def without(source: Path, directory: Path, *names: str) -> Path:
    """A folder of links to the films, but for ``names``."""
    directory.mkdir()
    for path in source.rglob("*.png"):
        if path.name not in names:
            (directory / path.name).symlink_to(path)
    return directory


def test_missing_films_stop_it_and_three_are_named(source: Path, tmp_path: Path) -> None:
    films = without(source, tmp_path / "films", *ALL_FILMS[:5])
    named = ", ".join(ALL_FILMS[:3])
    config = settings(source, tmp_path / "sets", source=(str(films),))
    refusal(config, "prepare.source", named, "5 films", "prepare.on_missing_film=skip")
    refusal(config.model_copy(update={"source": (str(packed(films, tmp_path)),)}), named, "5 films")


def test_missing_films_may_be_skipped_and_are_counted(source: Path, tmp_path: Path) -> None:
    films = without(source, tmp_path / "films", *ALL_FILMS[:5])
    result = run(settings(source, tmp_path / "sets", source=(str(films),), on_missing_film="skip"))
    assert result.films_missing == 5
    assert sum(each.films for each in result.manifests.values()) == len(ALL_FILMS) - 5


def with_bad(source: Path, directory: Path) -> Path:
    """The films, one of them cut short."""
    films = without(source, directory, ALL_FILMS[7])
    whole = next(source.rglob(ALL_FILMS[7])).read_bytes()
    (films / ALL_FILMS[7]).write_bytes(whole[:-20])
    return films


@pytest.mark.parametrize("processes", [1, 2])
def test_a_bad_film_stops_it_and_is_named(source: Path, tmp_path: Path, processes: int) -> None:
    films = with_bad(source, tmp_path / "films")
    config = settings(source, tmp_path / "sets", source=(str(films),), processes=processes)
    refusal(config, "prepare.source", ALL_FILMS[7], "truncated", "prepare.on_bad_film=skip")


def test_a_bad_film_may_be_skipped_and_is_listed(source: Path, tmp_path: Path) -> None:
    films = with_bad(source, tmp_path / "films")
    result = run(settings(source, tmp_path / "sets", source=(str(films),), on_bad_film="skip"))
    assert result.films_bad == 1
    listed = pd.read_csv(tmp_path / "sets" / "bad_films.csv")
    assert listed.to_dict("records") == [{"film": ALL_FILMS[7], "reason": "is a truncated PNG"}]


def test_a_bad_film_may_be_replaced_and_the_run_goes_on(source: Path, prepared: Path, tmp_path: Path) -> None:
    films = with_bad(source, tmp_path / "films")
    config = settings(source, tmp_path / "sets", source=(str(films),))
    refusal(config, ALL_FILMS[7])
    (films / ALL_FILMS[7]).write_bytes(next(source.rglob(ALL_FILMS[7])).read_bytes())
    run(config)
    assert tree(tmp_path / "sets") == tree(prepared)


def test_a_set_whose_films_are_all_missing_stops_it(source: Path, tmp_path: Path) -> None:
    films = without(source, tmp_path / "films", *(name for name in ALL_FILMS if int(name[:8]) % 5 == 0))
    config = settings(source, tmp_path / "sets", source=(str(films),), on_missing_film="skip")
    refusal(config, "prepare.source", "'test'", "would hold no film", "prepare.source")


# --- what is stored


@pytest.mark.parametrize("encoding", ["jpeg", "png"])
def test_films_may_be_stored_compressed(source: Path, tmp_path: Path, encoding: str) -> None:
    run(settings(source, tmp_path / "sets", encoding=encoding))
    reader = next(readers(tmp_path / "sets" / "training"))
    out = np.empty((SIDE, SIDE), np.uint8)
    reader.image_into(0, out)
    assert np.abs(out.astype(int) - film_level(reader.index.ids()[0])).max() <= 2


def test_neither_patients_nor_paths_are_stored(source: Path, tmp_path: Path) -> None:
    rows = [f"{name},Mass,Erika-Musterfrau-{name[:8]}" for name in ALL_FILMS]
    (tmp_path / "table.csv").write_text("\n".join(["film,findings,patient", *rows]))
    changes = {"catalog": "csv", "columns": ColumnsConfig().model_dump(), "split": "patient"}
    run(settings(source, tmp_path / "sets", table=str(tmp_path / "table.csv"), **changes))
    for content in tree(tmp_path / "sets").values():
        assert b"Musterfrau" not in content
        assert str(source).encode() not in content
        assert str(tmp_path).encode() not in content


def test_preparing_does_not_import_tensorflow() -> None:
    code = "import sys, trainer.data.prepare.run, trainer.data.source.phantom; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not (FILMS / "nih" / "images_256").is_dir(), reason="real films: set CXR_TRAIN_TEST_FILMS")
def test_real_films_are_counted_as_the_official_table_says(tmp_path: Path) -> None:
    nih = FILMS / "nih"
    config = PrepareConfig(
        source=(str(nih / "images_256"),),
        destination=str(tmp_path),
        table=str(nih / "Data_Entry_2017_v2020.csv.gz"),
        train_list=str(nih / "train_val_list.txt"),
        test_list=str(nih / "test_list.txt"),
        on_missing_film="skip",
        image_size=32,
        processes=1,
    )
    result = run(config)
    there = {path.stem for path in (nih / "images_256").iterdir()}
    table = pd.read_csv(nih / "Data_Entry_2017_v2020.csv.gz")
    table = table[table["Image Index"].str.removesuffix(".png").isin(there)]
    in_test = table["Image Index"].isin((nih / "test_list.txt").read_text().split())
    for splits, rows in ((("training", "validation"), table[~in_test]), (("test",), table[in_test])):
        manifests = [result.manifests[split] for split in splits]
        assert sum(each.films for each in manifests) == len(rows)
        assert sum(each.patients for each in manifests) == rows["Patient ID"].nunique()
        for name in NIH15.classes:
            expected = rows["Finding Labels"].str.split("|").apply(lambda names, name=name: name in names).sum()
            assert sum(each.counts[name].positive for each in manifests) == expected
    assert json.loads((tmp_path / "training" / "manifest.json").read_text())["made"]["films_missing"] > 70_000
