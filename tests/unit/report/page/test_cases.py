"""What is said of a film that the network was wrong about."""

import numpy as np
import pytest

from tests.unit.report.page.given import SCORED
from trainer.report.mistakes import Mistakes
from trainer.report.page.blocks import Cases, Paragraph
from trainer.report.page.cases import Look, case_blocks, where

HOT = np.zeros((30, 30), np.float32)
HOT[2:6, 22:26] = 1
LOOK = Look(np.full((30, 30), 99, np.uint8), HOT)


def test_a_case_names_film_score_threshold_and_labels() -> None:
    misses, alarms = case_blocks(SCORED, 0, Mistakes((0,), (1,)), 0.25, {(0, 0): LOOK, (1, 0): LOOK})
    assert isinstance(misses, Cases)
    assert misses.title == "Worst misses: labelled Mass, scored low"
    assert misses.cases[0].text == "a.png: Mass scored 0.1, threshold 0.25; labelled Mass."
    assert isinstance(alarms, Cases)
    assert alarms.cases[0].text == "b.png: Mass scored 0.9, threshold 0.25; labelled with no class."


def test_where_it_looked_is_said_to_those_who_do_not_see_it() -> None:
    misses, _ = case_blocks(SCORED, 0, Mistakes((0,), ()), None, {(0, 0): LOOK})
    assert isinstance(misses, Cases)
    assert misses.cases[0].overlay.alt == (
        "The same film under Grad-CAM for Mass: half the most, or more, on 2% of the picture, "
        "centred in its upper right."
    )


def test_a_kind_without_films_is_said_in_words() -> None:
    misses, alarms = case_blocks(SCORED, 0, Mistakes((), ()), 0.25, {})
    assert [each.text for each in (misses, alarms) if isinstance(each, Paragraph)] == [
        "Worst misses: none.",
        "Worst false alarms: none.",
    ]


@pytest.mark.parametrize(
    ("rows", "columns", "place"),
    [((0, 5), (0, 5), "upper left"), ((13, 17), (13, 17), "middle centre"), ((25, 30), (25, 30), "lower right")],
)
def test_places_are_thirds_of_the_picture(rows: tuple[int, int], columns: tuple[int, int], place: str) -> None:
    heat = np.zeros((30, 30), np.float32)
    heat[slice(*rows), slice(*columns)] = 1
    assert where(heat).endswith(place)


def test_no_heat_is_said_to_be_none() -> None:
    assert where(np.zeros((3, 3), np.float32)) == "nothing raised the score"
