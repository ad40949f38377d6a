"""Phantoms: learnable by shape alone, the same for the same seed."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from trainer.config import PhantomConfig, PrepareConfig, StoreConfig
from trainer.data.film.images import decode
from trainer.data.source.catalog import read_catalog
from trainer.data.source.phantom import draw, write_phantoms
from trainer.data.source.phantom_film import sign
from trainer.data.source.splits import assign_splits
from trainer.errors import DataError
from trainer.labels import NIH14, NIH15


def test_a_film_is_a_function_of_seed_and_index() -> None:
    config = PhantomConfig(image_size=64, seed=3)
    image, findings = draw(config, 17)
    again, same = draw(config, 17)
    assert (image.dtype, image.shape) == (np.uint8, (64, 64))
    np.testing.assert_array_equal(image, again)
    assert findings == same
    for other in (draw(config, 18), draw(config.model_copy(update={"seed": 4}), 17)):
        assert (other[0] != image).any()


@pytest.mark.parametrize("side", [8, 16, 20, 64])
def test_signs_have_zero_mean_and_differ(side: int) -> None:
    signs = np.array([sign(finding, side) for finding in NIH14.classes])
    np.testing.assert_allclose(signs.mean(axis=(1, 2)), 0, atol=1e-12)
    likeness = np.corrcoef(signs.reshape(len(signs), -1)) - np.eye(len(signs))
    assert np.abs(likeness).max() < 0.9


def test_signs_are_on_the_film_of_their_finding() -> None:
    config = PhantomConfig(image_size=64)
    films = [draw(config, index) for index in range(200)]
    contrast = {count: [] for count in (0, 1)}
    for image, findings in films:
        if len(findings) < 2:
            contrast[len(findings)].append(np.abs(np.diff(image.astype(int), axis=1)).max())
    assert np.median(contrast[1]) > np.median(contrast[0])


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    """Pixels, float [films, 80, 80], and findings, bool [films, 14]."""
    films = [draw(PhantomConfig(image_size=80, seed=1), index) for index in range(2000)]
    there = np.array([[name in findings for name in NIH14.classes] for _, findings in films])
    return np.array([image for image, _ in films], dtype=np.float64), there


def test_every_finding_is_on_a_tenth_to_a_sixth_of_the_films(many: tuple[np.ndarray, np.ndarray]) -> None:
    prevalence = many[1].mean(axis=0)
    assert prevalence.min() > 0.07
    assert prevalence.max() < 0.19
    assert 0.1 < (many[1].sum(axis=1) == 0).mean() < 0.25


@pytest.mark.parametrize("grid", [1, 8, 16])
def test_means_of_pixels_tell_a_linear_model_next_to_nothing(many: tuple[np.ndarray, np.ndarray], grid: int) -> None:
    images, there = many
    block = 80 // grid
    means = images.reshape(-1, grid, block, grid, block).mean(axis=(2, 4)).reshape(len(images), -1)
    means = (means - means.mean(axis=0)) / means.std(axis=0)
    scores = []
    for finding in range(14):
        model = LogisticRegression(C=0.01, max_iter=300).fit(means[:1500], there[:1500, finding])
        scores.append(roc_auc_score(there[1500:, finding], model.decision_function(means[1500:])))
    assert np.mean(scores) < 0.6


def test_the_written_tables_are_nihs_and_agree_with_the_drawing(tmp_path: Path) -> None:
    config = PhantomConfig(films=41, image_size=32, films_per_patient=2)
    steps: list[int] = []
    phantoms = write_phantoms(config, tmp_path, steps.append, processes=1)
    assert sum(steps) == 41
    assert len(list(phantoms.films.iterdir())) == 41
    settings = PrepareConfig(
        table=str(phantoms.table),
        train_list=str(phantoms.train_list),
        test_list=str(phantoms.test_list),
        validation_fraction=0,
    )
    records = assign_splits(read_catalog(settings, NIH15, StoreConfig()), settings, StoreConfig())
    assert {record.split for record in records} == {"training", "test"}
    for index, record in enumerate(records):
        image, findings = draw(config, index)
        assert record.patient == str(index // 2 + 1)
        assert record.labels == tuple(float(name in (findings or ("No Finding",))) for name in NIH15.classes)
        data = (phantoms.films / record.film).read_bytes()
        np.testing.assert_array_equal(decode(data, name=record.film, minimum_side=32), image)


def test_a_quarter_of_the_patients_is_for_the_test(tmp_path: Path) -> None:
    phantoms = write_phantoms(PhantomConfig(films=80, image_size=32), tmp_path, lambda _: None, processes=1)
    assert len(phantoms.test_list.read_text().splitlines()) == 20
    with phantoms.table.open() as table:
        assert len(list(csv.reader(table))) == 81


def test_processes_change_no_byte_and_a_second_call_writes_nothing(tmp_path: Path) -> None:
    config = PhantomConfig(films=130, image_size=32)
    for processes in (1, 2):
        write_phantoms(config, tmp_path / str(processes), lambda _: None, processes=processes)
    files = sorted(path for path in (tmp_path / "1").rglob("*") if path.is_file())
    before = {path: path.stat().st_mtime_ns for path in files}
    write_phantoms(config, tmp_path / "1", lambda _: None, processes=1)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    for path in files:
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_other_settings_do_not_mix_with_films_that_are_there(tmp_path: Path) -> None:
    write_phantoms(PhantomConfig(films=3, image_size=32), tmp_path, lambda _: None, processes=1)
    with pytest.raises(DataError, match=r"^phantom: '.*' holds phantoms drawn with other settings, .*; remove"):
        write_phantoms(PhantomConfig(films=3, image_size=32, seed=1), tmp_path, lambda _: None, processes=1)
