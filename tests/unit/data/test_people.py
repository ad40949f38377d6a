"""Demographics from a catalog's columns, whatever they are called, and the counts of films by group."""

from pathlib import Path

import pytest

from trainer.config import ColumnsConfig, PrepareConfig, StoreConfig
from trainer.data.shard.people import count_people, sum_people
from trainer.data.source.catalog import read_catalog
from trainer.demographics import UNTOLD, Demographics
from trainer.errors import DataError
from trainer.labels import CHEXPERT14, NIH15, LabelSet


def people(tmp_path: Path, text: str, labels: LabelSet = NIH15, **settings: object) -> list[Demographics]:
    (tmp_path / "table.csv").write_text(text)
    config = PrepareConfig.model_validate({"table": str(tmp_path / "table.csv")} | settings)
    return [record.demographics for record in read_catalog(config, labels, StoreConfig())]


@pytest.mark.parametrize("sex", ["Patient Gender", "Patient Sex"])
def test_nihs_columns_are_read_in_either_spelling(tmp_path: Path, sex: str) -> None:
    text = (
        f"Image Index,Finding Labels,Patient ID,Patient Age,{sex},View Position\n"
        "a.png,Mass,1,058Y,M,PA\nb.png,Mass,2,414,F,AP\nc.png,Mass,3,94,F,\n"
    )
    assert people(tmp_path, text) == [
        Demographics("M", 58, "PA"),
        Demographics("F", None, "AP", ("age",)),
        Demographics("F", 90, ""),
    ]


def test_a_table_without_the_columns_tells_nothing(tmp_path: Path) -> None:
    assert people(tmp_path, "Image Index,Finding Labels,Patient ID\na.png,Mass,1\n") == [UNTOLD]


def test_chexperts_lateral_films_are_lateral_and_its_age_of_0_is_unknown(tmp_path: Path) -> None:
    header = ",".join(("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", *CHEXPERT14.classes))
    rows = ("Female,68,Frontal,AP", "Male,90,Lateral,", "Unknown,0,Frontal,PA", "Male,20,Frontal,LL")
    lines = (f"patient0000{number}/s/v.jpg,{row}" + "," * 14 for number, row in enumerate(rows))
    assert people(tmp_path, "\n".join((header, *lines)), CHEXPERT14, catalog="chexpert") == [
        Demographics("F", 68, "AP"),
        Demographics("M", 90, "lateral"),
        Demographics("", None, "PA"),
        Demographics("M", 20, "lateral"),
    ]


CSV = "film,patient,findings,gender,years,projection\na.png,1,Mass,female,33,pa\nb.png,2,Mass,,x,\n"


def test_any_csv_tells_in_the_columns_that_are_named(tmp_path: Path) -> None:
    columns = ColumnsConfig(sex="gender", age="years", view="projection")
    assert people(tmp_path, CSV, catalog="csv", columns=columns) == [
        Demographics("F", 33, "PA"),
        Demographics(unread=("age",)),
    ]
    assert people(tmp_path, CSV, catalog="csv", columns=ColumnsConfig(age="years")) == [
        Demographics(age=33),
        Demographics(unread=("age",)),
    ]
    assert people(tmp_path, CSV, catalog="csv") == [UNTOLD, UNTOLD]


@pytest.mark.parametrize("trait", ["sex", "age", "view"])
def test_a_named_column_that_is_missing_names_its_setting(tmp_path: Path, trait: str) -> None:
    with pytest.raises(DataError, match=rf"^prepare.columns.{trait}: 'absent' is not a column of the table; name one"):
        people(tmp_path, CSV, catalog="csv", columns=ColumnsConfig(**{trait: "absent"}))


def test_what_is_to_be_left_out_is_not_read(tmp_path: Path) -> None:
    columns = ColumnsConfig(sex="gender", age="years", view="projection")
    assert people(tmp_path, CSV, catalog="csv", columns=columns, demographics=()) == [UNTOLD, UNTOLD]
    kept = people(tmp_path, CSV, catalog="csv", columns=columns, demographics="view")
    assert kept == [Demographics(view="PA"), UNTOLD]


def test_every_group_is_counted_and_named_the_unknown_too() -> None:
    films = [Demographics("F", 90, "PA"), Demographics("F", 20, "AP"), Demographics(unread=("age", "view")), UNTOLD]
    counted = count_people(films)
    assert counted.sex == {"F": 2, "M": 0, "O": 0, "unknown": 2}
    assert counted.age == {"0-19": 0, "20-39": 1, "40-59": 0, "60-79": 0, "80+": 1, "unknown": 2}
    assert counted.view == {"PA": 1, "AP": 1, "lateral": 0, "unknown": 2}
    assert counted.unread == {"sex": 0, "age": 1, "view": 1}


def test_counts_of_parts_add_up_to_those_of_the_whole_byte_for_byte() -> None:
    films = [Demographics("M", 90, "AP"), Demographics("F", 20, "PA"), UNTOLD, Demographics(unread=("sex",))]
    whole = count_people(films)
    parts = sum_people(count_people(films[start : start + 1]) for start in (3, 1, 0, 2))
    assert parts.model_dump_json() == whole.model_dump_json()
    assert sum_people([]) == count_people([])
