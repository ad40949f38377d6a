"""What there is to prepare: the catalog's films that belong to a set, and the files they are in."""

from collections.abc import Container
from dataclasses import dataclass

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.shard.manifest import SPLITS, Split
from trainer.data.source.catalog import read_catalog
from trainer.data.source.record import Record
from trainer.data.source.sources import KEY, FilmFinder, Place, Sources, find_in_folders, open_sources
from trainer.data.source.splits import assign_splits
from trainer.errors import DataError
from trainer.labels import LabelSet


@dataclass(frozen=True)
class Inputs:
    """Films by number: ``records[number]``, and its file in a folder, if any, ``files[number]``."""

    records: list[Record]
    files: dict[int, Place]
    sources: Sources
    finder: FilmFinder

    @property
    def splits(self) -> tuple[Split, ...]:
        """The sets that have films in the catalog."""
        filled = {record.split for record in self.records}
        return tuple(split for split in SPLITS if split in filled)

    def missing(self, seen: Container[str]) -> list[int]:
        """The films in no folder, and not among those ``seen`` in archives."""
        return [
            number for number, record in enumerate(self.records) if number not in self.files and record.film not in seen
        ]


def collect(config: PrepareConfig, labels: LabelSet, stores: StoreConfig) -> Inputs:
    """Reads the catalog, draws the sets, and looks for the films in the folders.

    Raises UsageError for a missing setting, DataError for a wrong table or source.
    """
    sources = open_sources(config, stores)
    assigned = assign_splits(read_catalog(config, labels, stores), config, stores)
    records = [record for record in assigned if record.split]
    finder = FilmFinder([record.film for record in records], config.catalog)
    inputs = Inputs(records, find_in_folders(sources.folders, stores, finder), sources, finder)
    if not sources.archives:
        refuse_missing(inputs, config, frozenset())
    return inputs


def refuse_missing(inputs: Inputs, config: PrepareConfig, seen: Container[str]) -> None:
    """Raises DataError if no film was found, or, unless they are to be skipped, if one was not."""
    missing = inputs.missing(seen)
    if len(missing) == len(inputs.records):
        rule = "holds no film that the table names"
        raise DataError(KEY, ", ".join(config.source), rule, "check the path and prepare.table")
    if missing and config.on_missing_film == "error":
        first = ", ".join(inputs.records[number].film for number in missing[:3])
        rule = f"and so on: {len(missing)} films of the table are in no source"
        cure = "add their folder or archive to prepare.source, or set prepare.on_missing_film=skip"
        raise DataError(KEY, first, rule, cure)
