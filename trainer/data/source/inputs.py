"""What there is to prepare: the catalog's films that belong to a set, and the files they are in."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainer.config import PrepareConfig
from trainer.data.prepare.decoding import FilmTask
from trainer.data.shard.manifest import SPLITS, Split
from trainer.data.source.catalog import Record, read_catalog
from trainer.data.source.sources import FilmFinder, find_in_folders, open_sources, shuffled, stream_archive
from trainer.data.source.splits import assign_splits
from trainer.errors import DataError
from trainer.labels import LabelSet


@dataclass(frozen=True)
class Inputs:
    """Films by number: ``records[number]``, and its file in a folder, if any, ``files[number]``."""

    records: list[Record]
    files: dict[int, Path]
    archives: tuple[Path, ...]
    finder: FilmFinder
    seed: int

    @property
    def splits(self) -> tuple[Split, ...]:
        """The sets that have films in the catalog."""
        filled = {record.split for record in self.records}
        return tuple(split for split in SPLITS if split in filled)

    @property
    def films(self) -> int:
        """Films to come, as far as is known before an archive is read."""
        return len(self.records) if self.archives else len(self.files)

    def tasks(self, finished: Container[str]) -> Iterator[FilmTask]:
        """The films to decode, but the finished: those in folders in an order drawn with the seed, then archives'."""
        numbers = sorted(self.files)
        for place in shuffled([self.records[number].film for number in numbers], self.seed):
            number = numbers[place]
            if self.records[number].film not in finished:
                yield FilmTask(number, self.records[number].film, self.files[number])
        for archive in self.archives:
            for number, content in stream_archive(archive, self.finder):
                if self.records[number].film not in finished:
                    yield FilmTask(number, self.records[number].film, content)

    def missing(self) -> list[int]:
        """The films in no file seen; of an archive, only once it is streamed."""
        return [number for number in range(len(self.records)) if number not in self.finder.found]


def collect(config: PrepareConfig, labels: LabelSet) -> Inputs:
    """Reads the catalog, draws the sets, and looks for the films in the folders.

    Raises UsageError for a missing setting, DataError for a wrong table or source.
    """
    sources = open_sources(config)
    records = [record for record in assign_splits(read_catalog(config, labels), config) if record.split]
    finder = FilmFinder([record.film for record in records], config.catalog)
    inputs = Inputs(records, find_in_folders(sources.folders, finder), sources.archives, finder, config.seed)
    if not sources.archives:
        refuse_missing(inputs, config)
    return inputs


def refuse_missing(inputs: Inputs, config: PrepareConfig) -> None:
    """Raises DataError if no film was found, or, unless they are to be skipped, if one was not."""
    missing = inputs.missing()
    if len(missing) == len(inputs.records):
        rule = "holds no film that the table names"
        raise DataError("prepare.source", ", ".join(config.source), rule, "check the path and prepare.table")
    if missing and config.on_missing_film == "error":
        first = ", ".join(inputs.records[number].film for number in missing[:3])
        rule = f"and so on: {len(missing)} films of the table are in no source"
        cure = "add their folder or archive to prepare.source, or set prepare.on_missing_film=skip"
        raise DataError("prepare.source", first, rule, cure)
