"""The catalog: one record a film, from NIH's table, CheXpert's, or any CSV with a map of its columns."""

import re
from collections.abc import Callable
from typing import TypeVar, cast

import pandas as pd

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.source.people import read_people
from trainer.data.source.record import ASSIGNMENTS, Assignment, Labels, Record
from trainer.data.source.table import columns_of, read_table, require_column, require_distinct, require_filled, row_name
from trainer.errors import DataError, UsageError
from trainer.labels import LabelSet, parse_findings, parse_mark

Parsed = TypeVar("Parsed")

_CHEXPERT_PATIENT = re.compile(r"(?:^|/)(patient\d+)/")


def read_catalog(config: PrepareConfig, labels: LabelSet, stores: StoreConfig) -> list[Record]:
    """The records of ``config.table``, in its order; splits only where the table has a column of them.

    Raises UsageError if no table is named, DataError that names the row or the column if the table is wrong.
    """
    if not config.table:
        raise UsageError("prepare.table", config.table, "is empty", "name the CSV file with the labels")
    table = read_table(config.table, stores, "prepare.table")
    read = {"nih": _read_nih, "chexpert": _read_chexpert, "csv": _read_csv}[config.catalog]
    records = read(table, config, labels)
    require_distinct([record.film for record in records], table.index.tolist(), "prepare.table")
    people = read_people(table, config)
    return [record._replace(demographics=each) for record, each in zip(records, people, strict=True)]


def _read_nih(table: pd.DataFrame, config: PrepareConfig, labels: LabelSet) -> list[Record]:
    del config
    film, findings, patient = "Image Index", "Finding Labels", "Patient ID"
    for column in (film, findings, patient):
        require_column(table, column, "prepare.table")
    require_filled(table, (film, patient))
    return list(map(Record, table[film], table[patient], _findings(table, findings, labels)))


def _read_chexpert(table: pd.DataFrame, config: PrepareConfig, labels: LabelSet) -> list[Record]:
    require_column(table, "Path", "prepare.table")
    require_filled(table, ("Path",))
    patients = table["Path"].str.extract(_CHEXPERT_PATIENT, expand=False)
    strange = table.index[patients.isna()]
    if len(strange):
        path = table["Path"][strange[0]]
        raise DataError(
            row_name(strange[0]), path, "names no patient", "write paths as .../patient00001/study1/view1_frontal.jpg"
        )
    return list(map(Record, table["Path"], patients, _marks(table, labels, config)))


def _read_csv(table: pd.DataFrame, config: PrepareConfig, labels: LabelSet) -> list[Record]:
    columns = config.columns
    for setting, column in columns:
        if column or setting in ("film", "patient"):
            require_column(table, column, f"prepare.columns.{setting}")
    require_filled(table, (columns.film, columns.patient))
    found = _findings(table, columns.findings, labels) if columns.findings else _marks(table, labels, config)
    splits = _splits(table, columns.split) if columns.split else [ASSIGNMENTS[0]] * len(table)
    return [
        Record(film, patient, label, cast(Assignment, split))
        for film, patient, label, split in zip(table[columns.film], table[columns.patient], found, splits, strict=True)
    ]


def _findings(table: pd.DataFrame, column: str, labels: LabelSet) -> list[Labels]:
    return _parsed(table[column], lambda text, row: parse_findings(text, labels, row=row))


def _marks(table: pd.DataFrame, labels: LabelSet, config: PrepareConfig) -> list[Labels]:
    """Labels from one column a class."""
    missing = [name for name in labels.classes if name not in table.columns]
    if missing:
        rule = f"has the class {missing[0]!r}, which is not a column of the table"
        raise DataError("data.labels", labels.name, rule, f"choose the set that the table uses; {columns_of(table)}")

    def mark(text: str, row: str) -> float:
        return parse_mark(text, config.uncertain, row=row)

    return list(zip(*(_parsed(table[name], mark) for name in labels.classes), strict=True))


def _splits(table: pd.DataFrame, column: str) -> list[str]:
    def split(text: str, row: str) -> str:
        if text not in ASSIGNMENTS:
            raise DataError(row, text, "is not a set", "use training, validation, test or blank (unused)")
        return text

    return _parsed(table[column], split)


def _parsed(cells: "pd.Series[str]", parse: Callable[[str, str], Parsed]) -> list[Parsed]:
    """Every cell parsed; each text once, with the first row it stands in for errors, because few texts are distinct."""
    parsed: dict[str, Parsed] = {}
    for row, text in zip(cells.index.tolist(), cells, strict=True):
        if text not in parsed:
            parsed[text] = parse(text, f"{row_name(row)}: {cells.name}")
    return [parsed[text] for text in cells]
