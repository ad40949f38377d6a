"""How numbers are written."""

import math

from trainer.metrics.estimate import Estimate
from trainer.report.page.words import counted, number, percent, readable, with_interval


def test_an_estimate_is_written_with_its_interval() -> None:
    assert with_interval(Estimate(0.9231, 0.88, 0.9594, 1000)) == "0.923 (0.880 to 0.959)"
    assert with_interval(Estimate(0.9231, 0.88, 0.9594, 1000), 2) == "0.92 (0.88 to 0.96)"


def test_what_is_not_defined_is_said_to_be() -> None:
    assert with_interval(Estimate(math.nan, math.nan, math.nan, 0)) == "not defined"
    assert with_interval(Estimate(0.5, math.nan, math.nan, 0)) == "0.500"
    assert number(math.nan) == percent(math.nan) == "not defined"


def test_counts_and_names_are_english() -> None:
    assert counted(1, "film") == "1 film"
    assert counted(1200, "film") == "1,200 films"
    assert counted(2, "class", "classes") == "2 classes"
    assert readable("Pleural_Thickening") == "Pleural Thickening"
