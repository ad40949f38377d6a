"""What prepared sets hold, as tables for people: one column a set."""

from collections.abc import Callable, Mapping, Sequence

from rich.table import Table

from trainer.config import TRAITS
from trainer.data.inspection.sets import PreparedSet
from trainer.data.shard.people import UNKNOWN
from trainer.demographics import GROUPS

_MEBIBYTE = 2**20


def facts_table(sets: Sequence[PreparedSet]) -> Table:
    """Counts, sizes, and how each set was made."""
    table = _with_columns("", sets)
    for name, fact in _FACTS.items():
        table.add_row(name, *(fact(each) for each in sets))
    return table


def classes_table(sets: Sequence[PreparedSet]) -> Table:
    """Films with each class, and their part of those where it is known."""
    table = _with_columns("class", sets)
    for name in sets[0].manifest.classes:
        table.add_row(name, *(_cell(each, name) for each in sets))
    return table


def people_table(sets: Sequence[PreparedSet]) -> Table:
    """Films by sex, age band (years) and view, and their part of all; groups that no set has are left out."""
    table = _with_columns("group", sets)
    for trait in TRAITS:
        for name in (*GROUPS[trait], UNKNOWN):
            _add_group(table, sets, f"{trait} {name}", [_films(each, trait, name) for each in sets])
        _add_group(table, sets, f"{trait} told, but senseless", [_films(each, "unread", trait) for each in sets])
        table.add_section()
    return table


def _add_group(table: Table, sets: Sequence[PreparedSet], name: str, counts: Sequence[int]) -> None:
    if any(counts):
        parts = (f" ({count / each.manifest.films:.1%})" for count, each in zip(counts, sets, strict=True))
        table.add_row(name, *(f"{count:,}{part}" for count, part in zip(counts, parts, strict=True)))


def _films(each: PreparedSet, trait: str, name: str) -> int:
    """Of a group; a set that does not count them knows of none."""
    people = each.manifest.people
    if people is None:
        return each.manifest.films if name == UNKNOWN else 0
    counts: Mapping[str, int] = getattr(people, trait)
    return counts[name]


_FACTS: Mapping[str, Callable[[PreparedSet], str]] = {
    "films": lambda each: f"{each.manifest.films:,}",
    "patients": lambda each: f"{each.manifest.patients:,}",
    "labels": lambda each: each.manifest.labels,
    "stored as": lambda each: (
        f"{each.manifest.image.width}x{each.manifest.image.height} {each.manifest.image.encoding}"
    ),
    "shards": lambda each: f"{len(each.manifest.shards):,}",
    "size": lambda each: f"{each.bytes / _MEBIBYTE:,.1f} MiB",
    "left out: bad": lambda each: f"{each.manifest.made.films_bad:,}",
    "left out: missing": lambda each: f"{each.manifest.made.films_missing:,}",
    "left out: by rule": lambda each: _rules(each),
    "made by": lambda each: f"cxr-train {each.manifest.made.program}",
    "catalog, seed": lambda each: f"{each.manifest.made.catalog}, {each.manifest.made.seed}",
    "patients' key": lambda each: each.manifest.patients_file.key_fingerprint,
}


def _rules(each: PreparedSet) -> str:
    skipped = each.manifest.made.films_skipped
    return ", ".join(f"{count:,} {rule}" for rule, count in skipped.items()) or "0"


def _cell(each: PreparedSet, name: str) -> str:
    counts = each.manifest.counts.get(name)
    if counts is None:
        return "-"
    part = "" if counts.prevalence is None else f" ({counts.prevalence:.1%})"
    unknown = f", {counts.unknown:,} unknown" if counts.unknown else ""
    return f"{counts.positive:,}{part}{unknown}"


def _with_columns(first: str, sets: Sequence[PreparedSet]) -> Table:
    table = Table()
    table.add_column(first, no_wrap=True)
    for each in sets:
        table.add_column(each.manifest.split, justify="right")
    return table
