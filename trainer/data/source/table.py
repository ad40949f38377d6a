"""A CSV file to a table of text, with errors that name the row."""

import gzip
import io
import warnings
import zlib
from collections.abc import Iterable, Sequence

import pandas as pd

from trainer.config import StoreConfig
from trainer.data.source.objects import read_object
from trainer.errors import DataError

_FIRST_ROW = 2
_GZIP_START = b"\x1f\x8b"


def read_table(where: str, stores: StoreConfig, key: str) -> pd.DataFrame:
    """The cells of a .csv or .csv.gz as text, blank where empty; ``key`` is the setting that named the file.

    Raises DataError if the file is missing, is no CSV or has no rows.
    """
    content = read_object(where, stores, key)
    try:
        # Of a row that is longer than the header, pandas would drop the end with no more than a warning.
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            cells = pd.read_csv(
                io.BytesIO(gzip.decompress(content) if content.startswith(_GZIP_START) else content),
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8-sig",
            )
    except (ValueError, OSError, EOFError, zlib.error, pd.errors.ParserWarning) as error:
        reason = " ".join(str(error).split())
        raise DataError(key, where, f"cannot be read as CSV ({reason})", "correct the file") from error
    filled = cells[(cells != "").any(axis="columns")]
    if filled.empty:
        raise DataError(key, where, "has no rows", "name a table with one row a film")
    return filled


def row_name(index: int) -> str:
    """How errors name the row of that index: counted as an editor does, the header being row 1."""
    return f"prepare.table row {index + _FIRST_ROW}"


def require_column(table: pd.DataFrame, column: str, key: str) -> None:
    """Raises DataError, listing the columns there are, if ``column``, named by setting ``key``, is not one."""
    if column not in table.columns:
        raise DataError(key, column, "is not a column of the table", f"name one that is; {columns_of(table)}")


def columns_of(table: pd.DataFrame) -> str:
    """The columns there are, for the cure of an error."""
    return f"its columns are {', '.join(str(each) for each in table.columns)}"


def require_filled(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raises DataError that names the first row with a blank cell in one of ``columns``."""
    for column in columns:
        blank = table.index[table[column].str.strip() == ""]
        if len(blank):
            raise DataError(
                row_name(blank[0]), "", f"is blank in column {column}", "fill in the cell or remove the row"
            )


def require_distinct(values: Sequence[str], rows: Sequence[int], key: str) -> None:
    """Raises DataError that names both rows of a film that is there twice."""
    first: dict[str, int] = {}
    for value, row in zip(values, rows, strict=True):
        if value in first:
            both = f"stands in rows {first[value] + _FIRST_ROW} and {row + _FIRST_ROW}"
            raise DataError(key, value, both, "keep one row a film")
        first[value] = row
