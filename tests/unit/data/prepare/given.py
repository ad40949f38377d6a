"""Films to prepare, and what is asked of the sets made of them."""

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.cache.in_place import InPlace
from trainer.data.prepare.result import PrepareResult
from trainer.data.prepare.run import prepare
from trainer.data.shard.manifest import read_manifest
from trainer.data.shard.shard import Shard
from trainer.data.store.folder import FolderStore
from trainer.errors import CxrError, DataError, UsageError
from trainer.labels import NIH15, LabelSet

REAL_FILMS = Path(os.environ.get("CXR_TRAIN_TEST_FILMS", Path(__file__).parents[5] / "shared" / "data"))
PATIENTS, FILMS_PER_PATIENT, SIDE = 60, 2, 16


def film_name(patient: int, follow_up: int) -> str:
    return f"{patient:08d}_{follow_up:03d}.png"


def film_level(name: str) -> int:
    """The one gray level of a test film."""
    return int(name[:8]) * 3 + int(name[9:12])


def told_of(number: int) -> tuple[str, str, str]:
    """Age, sex and view that the table tells of a film: each 20th age is senseless, some views are blank."""
    return "411" if number % 20 == 0 else str(number), "FM"[number % 2], ("PA", "AP", "")[number % 3]


ALL_FILMS = [film_name(patient, k) for patient in range(PATIENTS) for k in range(FILMS_PER_PATIENT)]
TEST_FILMS = [name for name in ALL_FILMS if int(name[:8]) % 5 == 0]


def draw_source(root: Path) -> None:
    """Films in two subfolders, NIH's table and lists: a fifth of the patients for the test; some ages are senseless."""
    for part in ("images_001", "images_002"):
        (root / part / "images").mkdir(parents=True)
    rows = ["Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position"]
    for number, name in enumerate(ALL_FILMS):
        film = Image.fromarray(np.full((40, 40), film_level(name), np.uint8))
        film.save(root / f"images_00{1 + number % 2}" / "images" / name)
        findings = ("Mass|Hernia", "No Finding", "Edema")[number % 3]
        rows.append(f"{name},{findings},{int(name[:8])},{','.join(told_of(number))}")
    (root / "table.csv").write_text("\n".join(rows) + "\n")
    (root / "train.txt").write_text("\n".join(each for each in ALL_FILMS if each not in TEST_FILMS))
    (root / "test.txt").write_text("\n".join(TEST_FILMS))


def settings(root: Path | str, into: Path | str, /, **changes: object) -> PrepareConfig:
    """Five films a shard, decoded in this process."""
    base = PrepareConfig(
        source=(str(root),),
        destination=str(into),
        table=f"{root}/table.csv",
        train_list=f"{root}/train.txt",
        test_list=f"{root}/test.txt",
        validation_fraction=0.25,
        image_size=SIDE,
        shard_mebibytes=0.0027,
        processes=1,
    )
    return PrepareConfig.model_validate(base.model_dump() | changes)


def run(config: PrepareConfig, labels: LabelSet = NIH15, stores: StoreConfig | None = None) -> PrepareResult:
    return prepare(config, stores or StoreConfig(), labels, lambda *_: None)


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
    """Every file but the hidden ones, which a killed run leaves where it was writing."""
    paths = (path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def shards(directory: Path) -> Iterator[Shard]:
    store = FolderStore(directory, "data.training")
    keeper = InPlace(store, read_manifest(store))
    return (keeper.bring(number).shard for number in range(len(keeper.manifest.shards)))


def pack(films: Path, archive: Path) -> Path:
    """An archive of the films below a folder."""
    with tarfile.open(archive, "w:gz" if archive.name.endswith("gz") else "w", dereference=True) as tar:
        for path in sorted(films.rglob("*.png")):
            tar.add(path, path.relative_to(films))
    return archive


def link_all_but(source: Path, directory: Path, *names: str) -> Path:
    """A folder of links to the films, but for ``names``."""
    directory.mkdir()
    for path in source.rglob("*.png"):
        if path.name not in names:
            (directory / path.name).symlink_to(path)
    return directory


def with_bad(source: Path, directory: Path) -> Path:
    """The films, one of them cut short."""
    films = link_all_but(source, directory, ALL_FILMS[7])
    whole = next(source.rglob(ALL_FILMS[7])).read_bytes()
    (films / ALL_FILMS[7]).write_bytes(whole[:-20])
    return films
