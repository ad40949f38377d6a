"""``cxr-train prepare``: films and a catalog to sets of shards; an interrupted run goes on where it stopped."""

import csv
import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

import trainer
from trainer.config import PrepareConfig
from trainer.data.prepare.decoding import Chunk, FilmTask, Storage, StoredImage, decode_chunk
from trainer.data.prepare.destination import claimed, is_complete, settings_of
from trainer.data.prepare.film_set_writer import FilmSetWriter
from trainer.data.prepare.workers import map_in_order
from trainer.data.shard.manifest import Made, Manifest, Split, read_manifest
from trainer.data.shard.patients import PatientHasher, hasher_from_environment
from trainer.data.source.catalog import Assignment, Record
from trainer.data.source.inputs import Inputs, collect, refuse_missing
from trainer.data.store.folder import FolderStore
from trainer.durable import write_durably
from trainer.errors import DataError, UsageError
from trainer.labels import LabelSet

BAD_FILMS_NAME = "bad_films.csv"

# A process gets so many at a time: large beside the cost of handing them over, small beside a run.
_FILMS_PER_CHUNK = 16

Progress = Callable[[int, int], None]
"""Called with films done, those of earlier runs among them, and films in all."""


@dataclass(frozen=True)
class PrepareResult:
    """What there is now: the manifest of each set; and what this run did for it."""

    manifests: Mapping[Split, Manifest]
    files_unlisted: int
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

    def summary(self) -> str:
        """One line for a person."""
        sets = ", ".join(f"{split} {each.films} films" for split, each in self.manifests.items())
        left_out = f"{self.films_bad} bad, {self.films_missing} missing, {self.files_unlisted} files not in the table"
        if self.already_complete:
            return f"already complete: {sets} ({left_out})"
        return f"prepared {sets} ({left_out}), {self.films_per_second:.0f} films/s"


def prepare(config: PrepareConfig, labels: LabelSet, progress: Progress) -> PrepareResult:
    """Fills ``config.destination`` with training/, validation/ and test/, as far as the catalog has films of each.

    The bytes written depend on films, table, settings and the patients' key, not on processes or interruptions.
    Raises UsageError for a missing setting, DataError for a wrong table, source or film.
    """
    started = time.perf_counter()
    if not config.destination:
        raise UsageError("prepare.destination", config.destination, "is empty", "name the folder to fill")
    destination, hasher = Path(config.destination), hasher_from_environment()
    inputs = collect(config, labels)
    films = [inputs.records[number].film for number in inputs.files]
    with claimed(destination, settings_of(config, labels, hasher.fingerprint, films, inputs.archives)):
        complete = all(is_complete(destination / split) for split in inputs.splits)
        decoded = 0 if complete else _add_films(destination, inputs, config, labels, hasher, progress)
    store = FolderStore(destination, "prepare.destination")
    manifests = {split: read_manifest(store.under(split)) for split in inputs.splits}
    return PrepareResult(manifests, inputs.finder.unlisted, complete, decoded, time.perf_counter() - started)


def _add_films(
    destination: Path,
    inputs: Inputs,
    config: PrepareConfig,
    labels: LabelSet,
    hasher: PatientHasher,
    progress: Progress,
) -> int:
    """Writes what earlier runs have not; the number of films decoded."""
    by_name = {record.film: record for record in inputs.records}
    sets: Sets = {split: FilmSetWriter(destination, split, config, hasher, by_name) for split in inputs.splits}
    finished = sum(each.films for each in sets.values())
    faults = _fill_and_close(sets, inputs, config, progress)
    _write_bad_films(destination, inputs, faults)
    _write_manifests(sets, inputs, faults, config, labels)
    return sum(each.films for each in sets.values()) - finished


Sets = Mapping[Assignment, FilmSetWriter]
Faults = Mapping[int, str]
"""What is wrong with the bad films, by number."""


def _fill_and_close(sets: Sets, inputs: Inputs, config: PrepareConfig, progress: Progress) -> Faults:
    with ExitStack() as stack:
        for each in sets.values():
            stack.callback(each.abandon)
        faults = _fill(sets, inputs, config, progress)
        refuse_missing(inputs, config)
        _refuse_empty(sets)
        for each in sets.values():
            each.close()
    return faults


def _fill(sets: Sets, inputs: Inputs, config: PrepareConfig, progress: Progress) -> Faults:
    storage = Storage(config.image_size, config.encoding, config.jpeg_quality, config.minimum_side)
    finished = frozenset(chain.from_iterable(each.finished for each in sets.values()))
    chunks = _chunks(inputs.tasks(finished))
    faults: dict[int, str] = {}
    done = len(finished)
    with closing(map_in_order(partial(decode_chunk, storage=storage), chunks, config.processes)) as results:
        for images in results:
            for image in images:
                _take(image, sets, inputs.records[image.number], faults, config)
            done += len(images)
            progress(done, inputs.films)
    return faults


def _chunks(tasks: Iterator[FilmTask]) -> Iterator[Chunk]:
    while chunk := list(islice(tasks, _FILMS_PER_CHUNK)):
        yield chunk


def _take(image: StoredImage, sets: Sets, record: Record, faults: dict[int, str], config: PrepareConfig) -> None:
    """Gives a film to its set, or notes its fault. Raises DataError if a film may not be left out."""
    if not image.fault:
        sets[record.split].append(record, image.image)
    elif config.on_bad_film == "skip":
        faults[image.number] = image.fault
    else:
        cure = "replace the file, or set prepare.on_bad_film=skip"
        raise DataError("prepare.source", record.film, image.fault, cure)


def _refuse_empty(sets: Sets) -> None:
    for split, each in sets.items():
        if not each.films:
            rule = "would hold no film: all of its films are missing or bad"
            raise DataError("prepare.source", split, rule, "add their folder or archive to prepare.source")


def _write_bad_films(destination: Path, inputs: Inputs, faults: Faults) -> None:
    path = destination / BAD_FILMS_NAME
    path.unlink(missing_ok=True)
    if faults:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("film", "reason"))
        writer.writerows(sorted((inputs.records[number].film, fault) for number, fault in faults.items()))
        write_durably(path, text.getvalue().encode())


def _write_manifests(sets: Sets, inputs: Inputs, faults: Faults, config: PrepareConfig, labels: LabelSet) -> None:
    missing = inputs.missing()
    for split, each in sets.items():
        made = Made(
            program=trainer.__version__,
            catalog=config.catalog,
            seed=config.seed,
            films_bad=sum(inputs.records[number].split == split for number in faults),
            films_missing=sum(inputs.records[number].split == split for number in missing),
        )
        each.write_manifest(labels, made)
