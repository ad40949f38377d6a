"""Films without labels get the scores that they get in a prepared set, from however many ranks."""

import csv
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dicom_files import file_of
from trainer.data.film_set import FilmSet
from trainer.data.plan import scoring_batch
from trainer.data.store.folder import FolderStore

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

SECRETS = {"PatientName": "Doe^Jane", "PatientID": "MRN-4711", "StudyInstanceUID": "1.2.826.0.99"}


@pytest.fixture(scope="module")
def run(scored_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run, scored on its validation set."""
    folder = tmp_path_factory.mktemp("predicted")
    shutil.copytree(scored_run, folder / "run")
    return folder


@pytest.fixture(scope="module")
def films(run: Path, small_sets: Path) -> Path:
    """The films of the validation set as files, among them one as DICOM, and two that are bad."""
    found = FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))
    images = found.gather(scoring_batch(found.records_per_shard, 0, 70)).images
    folder = run / "films"
    folder.mkdir()
    for name, image in zip(found.ids(), images[..., 0], strict=True):
        Image.fromarray(image).save(folder / name)
    (folder / found.ids()[5]).write_bytes(file_of(images[5, :, :, 0], WindowCenter=128, WindowWidth=256, **SECRETS))
    (folder / "x_cut.png").write_bytes((folder / found.ids()[0]).read_bytes()[:-10])
    (folder / "y_ct").write_bytes(file_of(images[5, :, :, 0], Modality="CT", **SECRETS))
    return folder


@pytest.fixture(scope="module")
def predicted(run: Path, films: Path, start_job) -> dict[int, Path]:
    """Where the scores are, by the number of ranks that made them."""
    found = {}
    for ranks in (1, 2):
        wanted = [f"predict.source={films}", f"predict.destination=out{ranks}", "prepare.dicom.minimum_side=16"]
        with start_job("predict", run, *wanted, "predict.batch_size=16", ranks=ranks) as job:
            assert job.code() == 3, job.said
            told = [line for line in job.said.splitlines() if line.startswith("scored ")]
        assert len(told) == 1
        assert "scored 70 of 72 films" in told[0]
        assert f"2 in out{ranks}/bad_films.csv" in told[0]
        found[ranks] = run / f"out{ranks}"
    return found


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_scores_are_those_that_evaluate_gives_the_same_films(run: Path, predicted: dict[int, Path]) -> None:
    evaluated = rows_of(run / "run" / "scores-validation" / "films.csv")
    found = rows_of(predicted[1] / "predictions.csv")
    classes = [each.removeprefix("score ") for each in evaluated[0] if each.startswith("score ")]
    assert list(found[0]) == ["film", *classes]
    assert [row["film"] for row in found] == [row["film"] for row in evaluated]
    ours, theirs = (
        np.array([[float(row[f"{kind}{each}"]) for each in classes] for row in rows])
        for kind, rows in (("", found), ("score ", evaluated))
    )
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize("name", ["predictions.csv", "bad_films.csv"])
def test_two_ranks_write_what_one_does(predicted: dict[int, Path], name: str) -> None:
    assert (predicted[2] / name).read_bytes() == (predicted[1] / name).read_bytes()


def test_bad_films_are_listed_with_their_reason(predicted: dict[int, Path]) -> None:
    assert rows_of(predicted[2] / "bad_films.csv") == [
        {"film": "x_cut.png", "reason": "is a truncated PNG"},
        {"film": "y_ct", "reason": "left out by prepare.dicom: modality"},
    ]


def test_nothing_of_a_dicom_header_is_written(predicted: dict[int, Path]) -> None:
    written = "".join(file.read_text() for folder in predicted.values() for file in folder.iterdir())
    assert not any(secret in written for secret in SECRETS.values())


def test_an_archive_of_good_films_ends_well(run: Path, films: Path, start_job) -> None:
    archive = run / "films.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in sorted(films.glob("0000000*.png")):
            tar.add(file, file.name)
    wanted = [f"predict.source={archive}", "predict.destination=out", "prepare.dicom.minimum_side=16"]
    with start_job("predict", run, *wanted, ranks=2) as job:
        job.done()
    assert [row["film"] for row in rows_of(run / "out" / "predictions.csv")] == [f"0000000{n}.png" for n in range(10)]
    assert rows_of(run / "out" / "bad_films.csv") == []
