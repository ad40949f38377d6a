"""Groups are told with counts, interval and gap; where nothing is known of them, words say so."""

import numpy as np

from trainer.metrics.bootstrap import bootstrap
from trainer.metrics.subgroups import by_group
from trainer.report.page.blocks import Paragraph, Pictures, Table
from trainer.report.page.subgroups import subgroup_part
from trainer.report.page.words import with_interval

RANDOM = np.random.default_rng(0)
LABELS = (RANDOM.random((300, 2)) < 0.3).astype(float)
SCORES = 0.6 * RANDOM.random((300, 2)) + 0.4 * LABELS
PATIENTS = np.arange(300)
DRAWN = {"resamples": 20, "confidence": 0.95, "seed": 0, "mean_over": (0, 1)}
WHOLE = bootstrap(SCORES, LABELS, PATIENTS, **DRAWN, at_specificity=0.9, at_sensitivity=0.9)
SEXES = ["F"] * 150 + ["M"] * 130 + ["O"] * 5 + [""] * 15


def test_every_group_is_told_with_counts_interval_and_gap() -> None:
    groups = by_group(SCORES, LABELS, PATIENTS, SEXES, ("F", "M", "O"), **DRAWN)
    part = subgroup_part({"sex": groups}, WHOLE, ("Mass", "Pleural_Thickening"))
    table, by_class = (each for each in part.blocks if isinstance(each, Table))
    female, male, other = table.rows
    assert groups.groups[0].mean_auroc
    assert female == ("F", "150", "150", with_interval(groups.groups[0].mean_auroc), "reference")
    assert groups.groups[1].gap
    assert male[-1] == with_interval(groups.groups[1].gap)
    assert other[3].startswith("too few: ")
    assert by_class.rows[1][0] == "Pleural Thickening"
    assert by_class.rows[1][3].startswith("too few; ")
    assert any("15 films of unknown sex" in each.text for each in part.blocks if isinstance(each, Paragraph))
    (pictures,) = (each for each in part.blocks if isinstance(each, Pictures))
    assert "sex F 0." in pictures.pictures[0].alt


def test_where_nothing_is_known_words_say_so() -> None:
    unknown = by_group(SCORES, LABELS, PATIENTS, [""] * 300, ("F", "M"), **DRAWN)
    for given in ({}, {"sex": unknown}):
        (words,) = subgroup_part(given, WHOLE, ("Mass", "Nodule")).blocks
        assert isinstance(words, Paragraph)
        assert "neither sex nor age nor view" in words.text


def test_a_trait_with_one_group_repeats_no_table() -> None:
    frontal = by_group(SCORES, LABELS, PATIENTS, ["PA"] * 290 + [""] * 10, ("PA", "AP"), **DRAWN)
    (words,) = subgroup_part({"view": frontal}, WHOLE, ("Mass", "Nodule")).blocks
    assert isinstance(words, Paragraph)
    assert words.text == "By view, all films are of one group, PA, but for 10 films of which it is unknown."
    sexes = by_group(SCORES, LABELS, PATIENTS, SEXES, ("F", "M", "O"), **DRAWN)
    both = subgroup_part({"sex": sexes, "view": frontal}, WHOLE, ("Mass", "Nodule"))
    assert sum(isinstance(each, Table) for each in both.blocks) == 2
