"""Small prepared sets for every test that reads films; TensorFlow's own chatter is off."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

from trainer.data.shard.example import StoredFilm
from trainer.data.shard.manifest import ClassCounts, ImageInfo, Made, Manifest, ShardInfo, Split, write_manifest
from trainer.data.shard.patients import PatientHasher, write_patients
from trainer.data.shard.people import count_people
from trainer.data.shard.shards import ShardWriter, frame_film, shard_name
from trainer.data.store.folder import FolderStore
from trainer.demographics import UNTOLD, Demographics
from trainer.labels import LabelSet, label_set

FILMS_PER_PATIENT = 2
BANDS = 15

# A property says what holds, not how fast; and what one run found must not decide another.
settings.register_profile("untimed", deadline=None, database=None)
settings.load_profile("untimed")

pytest_plugins = ["tests.browser", "tests.s3", "tests.mlflow_server"]

Found = npt.NDArray[np.bool_]


class MakeSet(Protocol):
    """Writes a prepared set of raw films; a class is seen as the brightness of a band of its own."""

    def __call__(
        self,
        directory: Path,
        split: Split,
        films: int,
        *,
        side: int = 32,
        films_per_shard: int = 37,
        seed: int = 0,
        patient_prefix: str = "a",
        labels: str = "nih15",
    ) -> Path: ...


@pytest.fixture(scope="session")
def make_set() -> MakeSet:
    return write_set


@pytest.fixture(scope="session")
def small_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of training/ (150 films) and validation/ (70 films), 32 pixels, nih15, no shared patient."""
    folder = tmp_path_factory.mktemp("small_sets")
    write_set(folder / "training", "training", 150)
    write_set(folder / "validation", "validation", 70, seed=1, patient_prefix="b")
    return folder


def write_set(
    directory: Path,
    split: Split,
    films: int,
    *,
    side: int = 32,
    films_per_shard: int = 37,
    seed: int = 0,
    patient_prefix: str = "a",
    labels: str = "nih15",
) -> Path:
    store = FolderStore(directory, "test")
    chosen, hasher = label_set(labels), PatientHasher("")
    # As many bands whatever the labels: sets that differ in their labels alone hold the same images.
    bands = np.random.default_rng(seed).random((films, BANDS)) < 0.3
    drawn = bands[:, : len(chosen.classes)]
    patients = [hasher.hash(f"{patient_prefix}{film // FILMS_PER_PATIENT}") for film in range(films)]
    shards = []
    for number, start in enumerate(range(0, films, films_per_shard)):
        writer = ShardWriter(store, shard_name(number))
        for film in range(start, min(films, start + films_per_shard)):
            image = _image(bands[film], side, seed=(seed, film))
            found = tuple(drawn[film].astype(float).tolist())
            stored = StoredFilm(
                f"{film:08d}.png", patients[film], found, image.tobytes(), "raw", side, side, demographics_of(film)
            )
            writer.append(frame_film(stored))
        shards.append(writer.close())
    write_manifest(store, _manifest(store, split, chosen, drawn, side, shards, patients, hasher))
    return directory


def demographics_of(film: int) -> Demographics:
    """Of the film of that number in a set: each 10th is all unknown."""
    if film % 10 == 9:
        return UNTOLD
    return Demographics(("F", "M")[film // FILMS_PER_PATIENT % 2], film * 7 % 91, ("PA", "AP", "lateral")[film % 3])


def _image(found: Found, side: int, seed: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Noise, uint8 [side, side], in which each class's band of rows is bright where the film has the class."""
    image = np.random.default_rng(seed).integers(0, 128, (side, side), dtype=np.uint8)
    for band, has in zip(np.array_split(np.arange(side), len(found)), found, strict=True):
        image[band] += np.uint8(100 * has)
    return image


def _manifest(
    store: FolderStore,
    split: Split,
    chosen: LabelSet,
    found: Found,
    side: int,
    shards: list[ShardInfo],
    patients: list[str],
    hasher: PatientHasher,
) -> Manifest:
    films = len(found)
    positive = dict(zip(chosen.classes, found.sum(axis=0).tolist(), strict=True))
    return Manifest(
        labels=chosen.name,
        classes=chosen.classes,
        split=split,
        films=films,
        patients=len(set(patients)),
        image=ImageInfo(height=side, width=side, encoding="raw"),
        counts={
            name: ClassCounts(positive=count, negative=films - count, unknown=0, prevalence=count / films)
            for name, count in positive.items()
        },
        people=count_people(map(demographics_of, range(films))),
        shards=tuple(shards),
        patients_file=write_patients(store, patients, hasher.fingerprint),
        made=Made(program="test", catalog="nih", seed=0, films_bad=0, films_missing=0),
    )
