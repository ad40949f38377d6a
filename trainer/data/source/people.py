"""Sex, age and view of the catalog's films, from the columns in which its form keeps them, if it does."""

from collections.abc import Mapping
from functools import cache

import pandas as pd

from trainer.config import TRAITS, PrepareConfig, Trait
from trainer.demographics import Demographics, parse_demographics

# NIH's tables of 2017 and 2020 say gender, copies of them sex.
_COLUMNS: Mapping[str, Mapping[Trait, tuple[str, ...]]] = {
    "nih": {"sex": ("Patient Sex", "Patient Gender"), "age": ("Patient Age",), "view": ("View Position",)},
    "chexpert": {"sex": ("Sex",), "age": ("Age",), "view": ("AP/PA",)},
}
_CHEXPERT_DIRECTION = "Frontal/Lateral"


def read_people(table: pd.DataFrame, config: PrepareConfig) -> list[Demographics]:
    """Of every row; what the table has no column for, or ``config.demographics`` leaves out, is unknown."""
    texts = (_texts(table, trait, config) for trait in TRAITS)
    # The same few words stand in all rows.
    return list(map(cache(parse_demographics), *texts))


def _texts(table: pd.DataFrame, trait: Trait, config: PrepareConfig) -> list[str]:
    column = next((name for name in _names(trait, config) if name in table.columns), None)
    if trait not in config.demographics or column is None:
        return [""] * len(table)
    if config.catalog == "chexpert":
        return _chexpert(table, column, trait)
    return table[column].tolist()


def _names(trait: Trait, config: PrepareConfig) -> tuple[str, ...]:
    """What the column may be called."""
    if config.catalog != "csv":
        return _COLUMNS[config.catalog][trait]
    columns = config.columns
    return ({"sex": columns.sex, "age": columns.age, "view": columns.view}[trait],)


def _chexpert(table: pd.DataFrame, column: str, trait: Trait) -> list[str]:
    cells = table[column]
    if trait == "age":
        # Its patients are adults; it writes 0 for the few whose age it does not know.
        cells = cells.mask(cells.str.strip().isin(("0", "0.0")), "")
    if trait == "view" and _CHEXPERT_DIRECTION in table.columns:
        cells = cells.mask(table[_CHEXPERT_DIRECTION].str.strip().str.lower() == "lateral", "lateral")
    return cells.tolist()
