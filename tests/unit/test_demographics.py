"""Sex, age and view as tables and DICOM headers write them: read, put in groups, or unknown and told so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.demographics import AGE_BANDS, AGE_CEILING, UNTOLD, Demographics, parse_demographics


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(("57", 57), ("058Y", 58), (" 58.0", 58), ("0", 0), ("007m", 0), ("023M", 1), ("012D", 0), ("400D", 1)),
        *(("060W", 1), ("89", 89), ("90", 90), ("95", 90), ("120", 90), ("100Y", 90)),
    ],
)
def test_an_age_is_in_whole_years_and_above_89_it_is_90(text: str, years: int) -> None:
    assert parse_demographics("", text, "") == Demographics(age=years)


@pytest.mark.parametrize("text", ["411", "148", "121", "058X", "-1", "fifty", "1e2", "12345", "5 8", "19690101", "Y"])
def test_what_is_no_age_is_unknown_and_told(text: str) -> None:
    assert parse_demographics("", text, "") == Demographics(unread=("age",))


@pytest.mark.parametrize("text", ["", " ", "Unknown", "nan", "N/A"])
def test_what_says_that_nobody_knows_is_unknown_and_no_fault(text: str) -> None:
    assert parse_demographics(text, text, text) == UNTOLD


@pytest.mark.parametrize(
    ("text", "sex"), [("F", "F"), ("Female", "F"), ("m", "M"), ("Male", "M"), ("O", "O"), ("OTHER", "O")]
)
def test_sexes_are_read(text: str, sex: str) -> None:
    assert parse_demographics(text, "", "").sex == sex


@pytest.mark.parametrize(
    ("text", "view"),
    [("PA", "PA"), ("ap", "AP"), ("AP_horizontal", "AP"), ("LL", "lateral"), ("Lateral", "lateral"), ("L", "lateral")],
)
def test_views_are_read(text: str, view: str) -> None:
    assert parse_demographics("", "", text).view == view


@pytest.mark.parametrize("text", ["RLO", "PA and lateral", "APPLE", "?"])
def test_another_view_or_two_of_them_are_unknown_and_told(text: str) -> None:
    assert parse_demographics("1", "", text) == Demographics(unread=("sex", "view"))


@given(st.text(), st.text(), st.text())
def test_no_text_stops_the_reading_or_goes_on_as_it_is(sex: str, age: str, view: str) -> None:
    found = parse_demographics(sex, age, view)
    assert found.sex in ("", "F", "M", "O")
    assert found.view in ("", "PA", "AP", "lateral")
    assert found.age is None or 0 <= found.age <= AGE_CEILING


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-19"), (19, "0-19"), (20, "20-39"), (59, "40-59"), (79, "60-79"), (80, "80+"), (90, "80+")]
)
def test_every_age_is_in_one_band(age: int, band: str) -> None:
    assert Demographics(age=age).group("age") == band
    assert band in AGE_BANDS


def test_what_is_unknown_is_in_no_group() -> None:
    assert [UNTOLD.group(trait) for trait in ("sex", "age", "view")] == ["", "", ""]


def test_the_first_to_tell_is_believed_and_what_it_cannot_tell_comes_from_the_other() -> None:
    catalog = Demographics("F", None, "", ("age", "view"))
    header = Demographics("M", 50, "", ())
    assert catalog.else_from(header) == Demographics("F", 50, "", ("view",))
    assert UNTOLD.else_from(UNTOLD) == UNTOLD
