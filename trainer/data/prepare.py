"""``cxr-train prepare``: films and a catalog to sets of shards; an interrupted run goes on where it stopped."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import trainer
from trainer.config import PrepareConfig
from trainer.data.bad_films import BadFilm, write_bad_films
from trainer.data.catalog import Record, read_catalog
from trainer.data.decoding import Chunk, FilmTask, Storage, decode_in_order
from trainer.data.destination import claim, is_complete, settings_of
from trainer.data.film_set import FilmSetWriter
from trainer.data.manifest import SPLITS, Made, Manifest, Split, read_manifest
from trainer.data.patients import hasher_from_environment
from trainer.data.sources import FilmFinder, Sources, find_in_folders, open_sources, shuffled, stream_archive
from trainer.data.splits import EMPTY_CURE, assign_splits
from trainer.errors import DataError, UsageError
from trainer.labels import LabelSet

_FILMS_PER_CHUNK = 16
"""What a process gets at a time: large beside the cost of handing it over, small beside an epoch's tail."""

Progress = Callable[[int, int], None]
"""Called with films done, those of earlier runs among them, and films in all."""


@dataclass(frozen=True)
class PrepareResult:
    """What there is now: the manifest of each set; and what this run did for it."""

    manifests: Mapping[Split, Manifest]
    already_complete: bool
    films_decoded: int
    seconds: float

    @property
    def films_per_second(self) -> float:
        """Films this run decoded and stored in a second."""
        return self.films_decoded / self.seconds

    @property
    def films_bad(self) -> int:
        """Films left out because they could not be decoded."""
        return sum(each.made.films_bad for each in self.manifests.values())

    @property
    def films_missing(self) -> int:
        """Rows of the table without a film in the sources."""
        return sum(each.made.films_missing for each in self.manifests.values())


def prepare(config: PrepareConfig, labels: LabelSet, progress: Progress) -> PrepareResult:
    """Fills ``config.destination`` with training/, validation/ and test/, as far as there are films of each.

    The bytes written depend on films, table, settings and the patients' key, not on processes or interruptions.
    Raises UsageError for a missing setting, DataError for a wrong table, source or film.
    """
    started = time.perf_counter()
    if not config.destination:
        raise UsageError("prepare.destination", config.destination, "is empty", "name the folder to fill")
    destination, sources = Path(config.destination), open_sources(config)
    records = [each for each in assign_splits(read_catalog(config, labels), config) if each.split]
    finder = FilmFinder([each.film for each in records], config.catalog)
    files = find_in_folders(sources.folders, finder)
    if not sources.archives:
        _refuse_missing(records, finder, config)
    hasher = hasher_from_environment()
    films = [records[number].film for number in files]
    claim(destination, settings_of(config, labels, hasher.fingerprint, films, sources.archives))

    splits = [split for split in SPLITS if any(each.split == split for each in records)]
    if all(is_complete(destination / split) for split in splits):
        manifests = {split: read_manifest(destination / split, "prepare.destination") for split in splits}
        return PrepareResult(manifests, finder.unlisted, True, 0, time.perf_counter() - started)
    with ExitStack() as stack:
        by_name = {each.film: each for each in records}
        sets = {split: FilmSetWriter(destination / split, config, hasher, by_name) for split in splits}
        for each in sets.values():
            stack.callback(each.abandon)
        finished = sum(each.films for each in sets.values())
        bad = _fill(sets, _Inputs(records, finder, files, sources.archives), config, progress)
        _refuse_missing(records, finder, config)
        _refuse_empty(sets)
        for each in sets.values():
            each.close()
    decoded = sum(each.films for each in sets.values()) - finished
    write_bad_films(destination, {records[number].film: fault for number, fault in bad.items()})
    manifests = {}
    for split, each in sets.items():
        lost = [number for number, record in enumerate(records) if record.split == split]
        made = Made(
            program=trainer.__version__,
            catalog=config.catalog,
            seed=config.seed,
            films_bad=sum(number in bad for number in lost),
            films_missing=sum(number not in finder.found for number in lost),
        )
        manifests[split] = each.write_manifest(split, labels, made)
    return PrepareResult(manifests, finder.unlisted, False, decoded, time.perf_counter() - started)
