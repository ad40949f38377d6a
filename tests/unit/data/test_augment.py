"""Augmentation: a film's change depends on its slot and key alone, and moves it the way it says."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from trainer.config import AugmentConfig
from trainer.data.augment import augment

Films = npt.NDArray[np.float32]

SIDE = 24
SLOTS = 8
KEY = (3, 4)
NOTHING = AugmentConfig(shift=0, scale=0, rotation_degrees=0, brightness=0, contrast=0)


@pytest.fixture(scope="module")
def films() -> Films:
    return np.random.default_rng(0).random((SLOTS, SIDE, SIDE, 1), dtype=np.float32)


def changed(
    films: Films, config: AugmentConfig, *, key: tuple[int, int] = KEY, first_slot: int = 0, slots: int = SLOTS
) -> Films:
    result = augment(
        tf.constant(films),
        config,
        key=tf.constant(key),
        first_slot=tf.constant(first_slot),
        global_batch_size=slots,
    )
    assert result.dtype == tf.float32
    return np.asarray(result)


def spots(row: int, column: int, count: int = SLOTS) -> Films:
    """Black films with one bright block of 3x3 pixels around (row, column)."""
    films = np.zeros((count, SIDE, SIDE, 1), np.float32)
    films[:, row - 1 : row + 2, column - 1 : column + 2] = 1.0
    return films


def center_of(film: Films) -> npt.NDArray[np.float64]:
    """(row, column) of the light's centre, pixels from the film's centre."""
    weight = film[:, :, 0].astype(np.float64)
    places = np.indices(weight.shape) - (SIDE - 1) / 2
    return (places * weight).sum(axis=(1, 2)) / weight.sum()


def test_a_film_is_changed_the_same_whichever_rank_has_it(films: Films) -> None:
    whole = changed(films, AugmentConfig())
    halves = [changed(films[:4], AugmentConfig()), changed(films[4:], AugmentConfig(), first_slot=4)]
    assert np.array_equal(whole, np.concatenate(halves))


def test_same_key_same_change_and_other_key_another(films: Films) -> None:
    first = changed(films, AugmentConfig())
    assert np.array_equal(first, changed(films, AugmentConfig()))
    assert not np.array_equal(first, changed(films, AugmentConfig(), key=(3, 5)))


def test_equal_films_in_two_slots_are_changed_differently() -> None:
    first, second, *_ = changed(spots(8, 8), AugmentConfig())
    assert not np.array_equal(first, second)


def test_films_are_left_as_they_are_when_disabled(films: Films) -> None:
    assert np.array_equal(changed(films, AugmentConfig(enabled=False)), films)


def test_amounts_of_nothing_change_nothing(films: Films) -> None:
    np.testing.assert_allclose(changed(films, NOTHING), films, atol=1e-6)


def test_films_stay_between_black_and_white(films: Films) -> None:
    result = changed(films, AugmentConfig(brightness=1.0, contrast=1.0))
    assert result.shape == films.shape
    assert 0.0 <= result.min() < result.max() <= 1.0


def test_no_film_is_mirrored_unless_asked() -> None:
    left = changed(spots(12, 4, 64), AugmentConfig(), slots=64)
    assert all(center_of(film)[1] < 0 for film in left)


def test_about_half_of_the_films_are_mirrored_where_asked() -> None:
    config = NOTHING.model_copy(update={"horizontal_flip": True})
    columns = [center_of(film)[1] for film in changed(spots(12, 4, 64), config, slots=64)]
    assert 16 < sum(column > 0 for column in columns) < 48
    np.testing.assert_allclose(np.abs(columns), (SIDE - 1) / 2 - 4, atol=1e-5)


def test_a_mirrored_film_is_the_film_from_right_to_left(films: Films) -> None:
    config = NOTHING.model_copy(update={"horizontal_flip": True})
    for before, after in zip(films, changed(films, config), strict=True):
        assert np.allclose(after, before, atol=1e-5) or np.allclose(after, before[:, ::-1], atol=1e-5)


def test_a_shift_moves_films_by_at_most_its_part_of_the_side() -> None:
    config = NOTHING.model_copy(update={"shift": 0.25})
    moved = np.array([center_of(film) for film in changed(spots(12, 12, 64), config, slots=64)]) - 0.5
    assert np.abs(moved).max() <= 0.25 * SIDE + 1e-3
    assert (moved.min(axis=0) < -0.15 * SIDE).all()
    assert (moved.max(axis=0) > 0.15 * SIDE).all()


def test_what_a_shift_uncovers_is_black() -> None:
    config = NOTHING.model_copy(update={"shift": 0.5})
    white = np.ones((SLOTS, SIDE, SIDE, 1), np.float32)
    assert (changed(white, config) == 0.0).any()


def test_a_turn_keeps_the_distance_from_the_centre() -> None:
    config = NOTHING.model_copy(update={"rotation_degrees": 180.0})
    places = np.array([center_of(film) for film in changed(spots(12, 18, 64), config, slots=64)])
    np.testing.assert_allclose(np.hypot(*places.T), np.hypot(0.5, 6.5), atol=0.1)
    angles = np.degrees(np.arctan2(*places.T))
    assert angles.min() < -120
    assert angles.max() > 120


def test_a_small_turn_stays_within_its_degrees() -> None:
    config = NOTHING.model_copy(update={"rotation_degrees": 20.0})
    start = np.degrees(np.arctan2(0.5, 7.5))
    places = np.array([center_of(film) for film in changed(spots(12, 19, 64), config, slots=64)])
    turned = np.degrees(np.arctan2(*places.T)) - start
    assert np.abs(turned).max() <= 20.5
    assert turned.min() < -10
    assert turned.max() > 10


def test_a_change_of_size_moves_light_away_from_or_to_the_centre() -> None:
    config = NOTHING.model_copy(update={"scale": 0.2})
    places = np.array([center_of(film) for film in changed(spots(12, 18, 64), config, slots=64)])
    grown = np.hypot(*places.T) / np.hypot(0.5, 6.5)
    assert 0.78 < grown.min() < 0.9
    assert 1.1 < grown.max() < 1.22


def test_brightness_adds_the_same_to_every_pixel_of_a_film() -> None:
    config = NOTHING.model_copy(update={"brightness": 0.2})
    added = changed(np.full((SLOTS, SIDE, SIDE, 1), 0.5, np.float32), config) - 0.5
    assert np.abs(added).max() <= 0.2
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-6
    assert np.ptp(added) > 0.1


def test_contrast_turns_around_the_middle_gray() -> None:
    config = NOTHING.model_copy(update={"contrast": 0.5})
    films = np.full((SLOTS, SIDE, SIDE, 1), 0.5, np.float32)
    films[:, :, SIDE // 2 :] = 0.6
    result = changed(films, config)
    np.testing.assert_allclose(result[:, :, 0], 0.5, atol=1e-6)
    gains = (result[:, 0, -1, 0] - 0.5) / 0.1
    assert 0.5 <= gains.min() < 1.0 < gains.max() <= 1.5
