"""Labels: the sets' classes, both forms of a table, and what becomes of an uncertain label."""

import math

import pytest

from trainer.config import UncertainPolicy
from trainer.errors import DataError, UsageError
from trainer.labels import (
    CHEXPERT14,
    LABEL_SETS,
    NIH14,
    NIH15,
    LabelSet,
    label_set,
    parse_findings,
    parse_mark,
    shared_classes,
)


def test_nih15_has_the_notebooks_fifteen_classes_in_its_order() -> None:
    assert len(NIH15.classes) == 15
    assert NIH15.classes[0] == "Atelectasis"
    assert NIH15.classes[-1] == "No Finding"


def test_nih14_is_nih15_without_no_finding() -> None:
    assert NIH15.findings == NIH14.classes == NIH14.findings


@pytest.mark.parametrize("labels", LABEL_SETS.values(), ids=str)
def test_no_class_stands_twice_in_a_set(labels: LabelSet) -> None:
    assert len(set(labels.classes)) == len(labels.classes)


@pytest.mark.parametrize("name", LABEL_SETS)
def test_a_set_is_found_by_its_name(name: str) -> None:
    assert label_set(name).name == name


def test_an_unknown_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"^data.labels: 'nih16' is not a label set; choose one of nih15, nih14, c"):
        label_set("nih16")


def test_nih_and_chexpert_share_seven_findings_whatever_they_call_effusion() -> None:
    shared = shared_classes(CHEXPERT14.classes, NIH14.classes)
    assert [(CHEXPERT14.classes[ours], NIH14.classes[theirs]) for ours, theirs in shared] == [
        ("Cardiomegaly", "Cardiomegaly"),
        ("Edema", "Edema"),
        ("Consolidation", "Consolidation"),
        ("Pneumonia", "Pneumonia"),
        ("Atelectasis", "Atelectasis"),
        ("Pneumothorax", "Pneumothorax"),
        ("Pleural Effusion", "Effusion"),
    ]


def test_what_two_sets_share_is_the_same_from_either_side() -> None:
    there = shared_classes(NIH15.classes, CHEXPERT14.classes)
    back = shared_classes(CHEXPERT14.classes, NIH15.classes)
    assert sorted(there) == sorted((ours, theirs) for theirs, ours in back)
    assert len(there) == 8


def test_sets_without_a_common_class_share_nothing() -> None:
    assert shared_classes(("Fracture",), NIH15.classes) == []


def test_findings_become_ones_at_their_classes() -> None:
    given = parse_findings("Mass| Hernia", NIH15, row="row 2")
    assert [name for name, label in zip(NIH15.classes, given, strict=True) if label] == ["Hernia", "Mass"]


def test_no_finding_is_a_class_in_nih15_and_all_zeros_in_nih14() -> None:
    assert parse_findings("No Finding", NIH15, row="row 2") == (0.0,) * 14 + (1.0,)
    assert parse_findings("No Finding", NIH14, row="row 2") == (0.0,) * 14


@pytest.mark.parametrize("text", ["Massive", "", "Mass|", "mass", "Mass,Hernia"])
def test_an_unknown_finding_is_refused_with_its_row(text: str) -> None:
    with pytest.raises(DataError, match=r"^row 7: labels: '.*' is not a class of nih15; "):
        parse_findings(text, NIH15, row="row 7")


@pytest.mark.parametrize(
    ("text", "label"), [("1", 1.0), ("1.0", 1.0), ("0", 0.0), ("0.0", 0.0), ("", 0.0), ("  ", 0.0)]
)
@pytest.mark.parametrize("policy", ["zeros", "ones", "ignore"])
def test_a_certain_or_blank_mark_does_not_depend_on_the_policy(
    text: str, label: float, policy: UncertainPolicy
) -> None:
    assert parse_mark(text, policy, row="row 2") == label


@pytest.mark.parametrize("text", ["-1", "-1.0", " -1.0 "])
def test_an_uncertain_mark_becomes_what_the_policy_says(text: str) -> None:
    assert parse_mark(text, "zeros", row="row 2") == 0.0
    assert parse_mark(text, "ones", row="row 2") == 1.0
    assert math.isnan(parse_mark(text, "ignore", row="row 2"))


@pytest.mark.parametrize("text", ["2", "yes", "nan", "0.5", "-2"])
def test_any_other_mark_is_refused(text: str) -> None:
    with pytest.raises(DataError, match=rf"^row 9: '{text}' is not a label; "):
        parse_mark(text, "ignore", row="row 9")


def test_chexpert_names_support_devices_among_its_findings() -> None:
    assert "Support Devices" in CHEXPERT14.findings
    assert "No Finding" not in CHEXPERT14.findings
