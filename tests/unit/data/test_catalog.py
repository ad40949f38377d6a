"""The catalog: rows to records, and errors that name the row."""

import gzip
import math
import time
from pathlib import Path

import pytest

from trainer.config import ColumnsConfig, PrepareConfig, StoreConfig
from trainer.data.source.catalog import read_catalog
from trainer.data.source.record import Record
from trainer.demographics import Demographics
from trainer.errors import DataError, UsageError
from trainer.labels import CHEXPERT14, NIH14, NIH15

NIH_HEADER = "Image Index,Finding Labels,Follow-up #,Patient ID\n"


def table(tmp_path: Path, text: str, **settings: object) -> PrepareConfig:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return PrepareConfig(table=str(path), **settings)


def assert_tells(error: pytest.ExceptionInfo[DataError], *parts: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_row_of_nih_becomes_a_record(tmp_path: Path) -> None:
    config = table(tmp_path, NIH_HEADER + "00000001_000.png,Mass|Hernia,0,1\n00000002_000.png,No Finding,0,2\n")
    first, second = read_catalog(config, NIH15, StoreConfig())
    expected = tuple(float(name in ("Mass", "Hernia")) for name in NIH15.classes)
    assert first == Record("00000001_000.png", "1", expected, "")
    assert second.labels[NIH15.classes.index("No Finding")] == 1.0


def test_no_finding_is_all_zeros_where_the_set_has_no_such_class(tmp_path: Path) -> None:
    (record,) = read_catalog(table(tmp_path, NIH_HEADER + "a.png,No Finding,0,1\n"), NIH14, StoreConfig())
    assert record.labels == (0.0,) * 14


def test_a_comma_at_the_end_of_every_row_shifts_no_column(tmp_path: Path) -> None:
    text = "Image Index,Finding Labels,Patient ID,\na.png,Mass,7,\n"
    (record,) = read_catalog(table(tmp_path, text), NIH15, StoreConfig())
    assert (record.film, record.patient) == ("a.png", "7")


def test_blank_lines_do_not_shift_the_row_that_an_error_names(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_catalog(table(tmp_path, NIH_HEADER + "a.png,Mass,0,1\n\nb.png,Masss,0,2\n"), NIH15, StoreConfig())
    assert_tells(error, "prepare.table row 4", "Finding Labels", "'Masss'", "nih15", "data.labels")


def test_a_table_may_be_gzipped_and_have_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + (NIH_HEADER + "a.png,Mass,0,1\n").encode()))
    assert len(read_catalog(PrepareConfig(table=str(path)), NIH15, StoreConfig())) == 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Image Index,Patient ID\na.png,1\n", ("prepare.table", "'Finding Labels'", "Image Index, Patient ID")),
        (NIH_HEADER + "a.png,Mass,0,1\na.png,Mass,0,1\n", ("prepare.table", "'a.png'", "rows 2 and 3", "keep one")),
        (NIH_HEADER, ("prepare.table", "table.csv", "has no rows", "one row a film")),
        ("", ("prepare.table", "table.csv", "cannot be read as CSV", "correct the file")),
        (NIH_HEADER + "a.png,Mass,0,\n", ("prepare.table row 2", "''", "Patient ID", "fill in")),
        (NIH_HEADER + ",Mass,0,1\n", ("prepare.table row 2", "Image Index", "fill in")),
        (NIH_HEADER + "a.png,Mass,0,1\nb.png,Mass,0,2,surplus\n", ("prepare.table", "cannot be read", "correct")),
        (NIH_HEADER + "a.png,Mass,0,1,surplus\n", ("prepare.table", "cannot be read", "correct")),
    ],
)
def test_a_wrong_table_is_told_in_one_line(tmp_path: Path, text: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as error:
        read_catalog(table(tmp_path, text), NIH15, StoreConfig())
    assert_tells(error, *parts)
    assert error.value.exit_code == 3


def test_a_table_that_is_not_there_is_a_data_error() -> None:
    with pytest.raises(DataError) as error:
        read_catalog(PrepareConfig(table="/nowhere/table.csv"), NIH15, StoreConfig())
    assert_tells(error, "prepare.table", "/nowhere/table.csv", "check the path")


def test_a_damaged_gzip_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "table.csv.gz").write_bytes(b"\x1f\x8b\x08\x00garbage")
    with pytest.raises(DataError) as error:
        read_catalog(PrepareConfig(table=str(tmp_path / "table.csv.gz")), NIH15, StoreConfig())
    assert_tells(error, "prepare.table", "cannot be read")


def test_no_table_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"prepare.table: '' is empty; name the CSV") as error:
        read_catalog(PrepareConfig(), NIH15, StoreConfig())
    assert error.value.exit_code == 2


def test_the_wrong_label_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_catalog(table(tmp_path, "Path,Edema\npatient1/s/v.jpg,1\n", catalog="chexpert"), CHEXPERT14, StoreConfig())
    assert_tells(error, "data.labels", "'chexpert14'", "'No Finding'", "its columns are Path, Edema")


def chexpert_text(*rows: tuple[str, str]) -> str:
    """Rows of (path, mark of every class)."""
    header = ",".join(("Path", "Sex", *CHEXPERT14.classes))
    return "\n".join((header, *(f"{path},F" + f",{mark}" * 14 for path, mark in rows))) + "\n"


@pytest.mark.parametrize(
    ("mark", "policy", "label"),
    [("1.0", "ignore", 1.0), ("0.0", "ignore", 0.0), ("", "ignore", 0.0), ("-1.0", "ones", 1.0), ("-1", "zeros", 0.0)],
)
def test_a_chexpert_mark_becomes_a_label(tmp_path: Path, mark: str, policy: str, label: float) -> None:
    path = "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg"
    config = table(tmp_path, chexpert_text((path, mark)), catalog="chexpert", uncertain=policy)
    assert read_catalog(config, CHEXPERT14, StoreConfig()) == [
        Record(path, "patient00001", (label,) * 14, demographics=Demographics("F"))
    ]


def test_an_uncertain_mark_that_is_ignored_is_unknown(tmp_path: Path) -> None:
    config = table(tmp_path, chexpert_text(("patient00001/s/v.jpg", "-1")), catalog="chexpert")
    assert all(math.isnan(label) for label in read_catalog(config, CHEXPERT14, StoreConfig())[0].labels)


def test_a_wrong_mark_names_row_and_column(tmp_path: Path) -> None:
    config = table(
        tmp_path, chexpert_text(("patient00001/s/v.jpg", "1"), ("patient2/s/v.jpg", "2")), catalog="chexpert"
    )
    with pytest.raises(DataError) as error:
        read_catalog(config, CHEXPERT14, StoreConfig())
    assert_tells(error, "prepare.table row 3", "No Finding", "'2'", "use 1, 0, -1")


def test_a_chexpert_path_without_patient_names_the_row(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read_catalog(
            table(tmp_path, chexpert_text(("study1/view1.jpg", "1")), catalog="chexpert"), CHEXPERT14, StoreConfig()
        )
    assert_tells(error, "prepare.table row 2", "'study1/view1.jpg'", "patient00001")


def test_any_csv_is_read_by_its_column_map(tmp_path: Path) -> None:
    columns = ColumnsConfig(film="file", patient="who", findings="what", split="set")
    text = "what,set,file,who\nMass,test,x.png,p7\nNo Finding,,y.png,p8\n"
    records = read_catalog(table(tmp_path, text, catalog="csv", columns=columns), NIH14, StoreConfig())
    assert [(each.film, each.patient, each.split) for each in records] == [("x.png", "p7", "test"), ("y.png", "p8", "")]


def test_a_csv_may_have_one_column_a_class(tmp_path: Path) -> None:
    text = f"film,patient,{','.join(NIH14.classes)}\nx.png,p,{','.join(['1', *['0'] * 12, ''])}\n"
    config = table(tmp_path, text, catalog="csv", columns=ColumnsConfig(findings=""))
    assert read_catalog(config, NIH14, StoreConfig())[0].labels == (1.0,) + (0.0,) * 13


@pytest.mark.parametrize("setting", ["film", "patient", "findings", "split"])
def test_a_mapped_column_that_is_missing_names_its_setting(tmp_path: Path, setting: str) -> None:
    columns = ColumnsConfig(**{setting: "absent"})
    with pytest.raises(DataError) as error:
        read_catalog(
            table(tmp_path, "film,patient,findings\nx,p,Mass\n", catalog="csv", columns=columns), NIH14, StoreConfig()
        )
    assert_tells(error, f"prepare.columns.{setting}", "'absent'", "film, patient, findings")


def test_a_wrong_split_names_the_row(tmp_path: Path) -> None:
    text = "film,patient,findings,split\nx,p,Mass,train\n"
    with pytest.raises(DataError) as error:
        read_catalog(table(tmp_path, text, catalog="csv", columns=ColumnsConfig(split="split")), NIH14, StoreConfig())
    assert_tells(error, "prepare.table row 2", "split", "'train'", "use training")


def test_a_table_as_large_as_nihs_is_read_in_two_seconds(tmp_path: Path) -> None:
    rows = (
        f"{n // 4:08d}_{n % 4:03d}.png,{('Mass', 'No Finding', 'Edema|Hernia')[n % 3]},0,{n // 4}\n"
        for n in range(112_120)
    )
    config = table(tmp_path, NIH_HEADER + "".join(rows))
    started = time.process_time()
    assert len(read_catalog(config, NIH15, StoreConfig())) == 112_120
    assert time.process_time() - started < 2
