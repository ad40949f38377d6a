"""The worst mistakes: the surest wrong ones first, bounded, and none of unknown labels."""

import numpy as np

from trainer.report.mistakes import Mistakes, worst_mistakes

SCORES = np.array([0.9, 0.1, 0.4, 0.3, 0.8, 0.7, 0.05])
LABELS = np.array([1, 1, 1, 0, 0, 0, np.nan])


def test_the_surest_wrong_ones_come_first() -> None:
    assert worst_mistakes(SCORES, LABELS, 0.5, 9) == Mistakes(misses=(1, 2), false_alarms=(4, 5))


def test_a_film_at_the_threshold_is_called() -> None:
    assert worst_mistakes(SCORES, LABELS, 0.4, 9).misses == (1,)
    assert worst_mistakes(SCORES, LABELS, 0.8, 9).false_alarms == (4,)


def test_no_more_than_asked_for() -> None:
    assert worst_mistakes(SCORES, LABELS, 0.5, 1) == Mistakes((1,), (4,))
    assert worst_mistakes(SCORES, LABELS, 0.5, 0) == Mistakes((), ())


def test_without_a_threshold_any_film_may_be_one() -> None:
    assert worst_mistakes(SCORES, LABELS, None, 9) == Mistakes((1, 2, 0), (4, 5, 3))


def test_a_class_without_positives_has_no_misses() -> None:
    assert worst_mistakes(SCORES, np.zeros(7), 0.5, 2) == Mistakes((), (0, 4))
