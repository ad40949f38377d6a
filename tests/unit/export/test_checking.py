"""What is exported is held to the trainer's scores: on films of a set, else on drawn ones, and nothing else passes."""

from pathlib import Path

import numpy as np
import pytest

from trainer import settings
from trainer.data.film_set import FilmSet
from trainer.data.plan import scoring_batch
from trainer.data.store.folder import FolderStore
from trainer.errors import SelfTestError
from trainer.export.checking import TOLERANCE, check, films_to_check

FILMS = [np.zeros((2, 8, 8, 1), np.uint8)]
SCORES = [np.full((2, 3), 0.5, np.float32)]


def test_films_of_the_set_at_hand_come_first(small_sets: Path) -> None:
    found = films_to_check(settings.load(None, [f"data.validation={small_sets / 'validation'}"]), 32)
    films = FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))
    np.testing.assert_array_equal(found.stored, films.gather(scoring_batch(films.records_per_shard, 0, 64)).images)
    assert found.source == "the validation set"


@pytest.mark.parametrize("setting", ["data.test=", "data.test=/there/is/none", "data.test={sets}/training"])
def test_without_a_set_of_that_size_films_are_drawn(small_sets: Path, setting: str) -> None:
    config = settings.load(None, [setting.format(sets=small_sets), "export.films=9"])
    found = films_to_check(config, 48)
    assert (found.stored.shape, found.source) == ((9, 48, 48, 1), "drawn at random")
    assert all(each.shape[1:3] != (48, 48) for each in found.of_any_size)


def test_films_of_any_size_are_expected_to_score_as_prepare_would_store_them() -> None:
    found = films_to_check(settings.load(None, ["export.films=1"]), 16)
    seen = []
    found.expected(lambda films: seen.append(films.shape) or np.zeros((len(films), 3), np.float32))
    assert seen == [(1, 16, 16, 1), *[(2, 16, 16, 1)] * 3]


def test_scores_within_the_tolerance_pass_with_their_difference() -> None:
    assert check("keras", lambda _films: SCORES[0] + TOLERANCE / 2, FILMS, SCORES) == pytest.approx(TOLERANCE / 2, 1e-2)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (SCORES[0] + 2 * TOLERANCE, "differs by 0.0002 from the trainer's own scores"),
        (np.where(np.eye(2, 3), np.nan, SCORES[0]), "differs by nan"),
        (SCORES[0][:, :2], r"gives \[2, 2\] numbers for \[2, 3\]"),
    ],
)
def test_other_scores_are_refused(wrong, rule: str) -> None:
    with pytest.raises(SelfTestError, match=f"^export.formats: 'onnx' {rule}.*nothing was written"):
        check("onnx", lambda _films: wrong, FILMS, SCORES)
