"""Puts the record of a run together, epoch by epoch, and says whether every film was seen exactly once in each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from trainer.audit.films import StoredFilms
from trainer.audit.lineage import Origin, Span, lineage
from trainer.audit.offences import Naming, offences
from trainer.audit.record import FOLDER, Facts, Part, Place, part_from_bytes, place_of
from trainer.audit.standing import Standing, standing
from trainer.audit.tally import FIRST, Checksums, EpochCount, Layout, Tally, Use, uses
from trainer.config import Config
from trainer.data.evidence import checksum
from trainer.data.shard.manifest import MANIFEST_NAME, parse_manifest, sha256_of
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError, UsageError

_READS_AT_ONCE = 8


@dataclass(frozen=True)
class Report:
    """What an audit found: ``faults`` are lines that name first offenders; empty if every finished epoch is proven."""

    standing: Standing
    epochs: Sequence[EpochCount]
    faults: Sequence[str]
    compared: int
    """Films whose pixels, as they were read in training, were compared with the set."""


def audit(config: Config, *, compare: int, rng: np.random.Generator) -> Report:
    """Audits the run in ``checkpoint.directory`` up to its newest checkpoint; what came after is not judged.

    Args:
        config: names the run and the set that it was trained on.
        compare: films, drawn by ``rng``, of which the pixels that training read are compared with the set.
        rng: draws them.

    Raises DataError where there is no record, no checkpoint, or the set is another one.
    """
    run = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
    reached = _standing(run)
    if not config.data.training:
        raise UsageError("data.training", "", "is empty", "set it to the set that the run was trained on")
    films = open_store(config.data.training, config.store, "data.training")
    content = films.read(MANIFEST_NAME)
    manifest = parse_manifest(content, films)
    record = _Record(run.under(FOLDER))
    layout = Layout.of([each.records for each in manifest.shards], record.batch_size(sha256_of(content), films))
    spans = lineage(reached.attempt, reached.step, record.origins())
    stored, checksums = StoredFilms(films, manifest), Checksums(layout.films)
    epochs, faults = [], []
    for epoch in range(reached.epoch + (reached.batch > 0)):
        done = layout.batches if epoch < reached.epoch else reached.batch
        tally = Tally(layout, checksums, epoch=epoch, batches_done=done)
        for part, undone in record.counted(epoch, spans):
            tally.add(part, undone=undone)
        epochs.append(tally.count())
        naming = Naming(stored, layout, partial(record.uses, epoch, spans, layout))
        faults += offences(epochs[-1], naming)
    chosen = _drawn(checksums, compare, rng)
    faults += _compared(chosen, checksums, stored, layout)
    return Report(reached, epochs, faults, len(chosen))


class _Record:
    """The parts of a run's record, and what the first part of each attempt says."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._places: dict[int, list[Place]] = defaultdict(list)
        first: dict[int, Place] = {}
        for entry in store.entries():
            if place := place_of(entry.name):
                self._places[place.epoch].append(place)
                first.setdefault(place.attempt, place)
        if not first:
            raise DataError(
                store.key, store.where, "holds no record of films", "train with data.audit=true, or correct the path"
            )
        self._facts: Mapping[int, Facts] = {attempt: self._read(place).facts for attempt, place in first.items()}

    def batch_size(self, training_set: str, films: Store) -> int:
        """The global batch size of all attempts; raises DataError if any was trained on another set."""
        if any(each.training_set != training_set for each in self._facts.values()):
            raise DataError(
                films.key, films.where, "is not the set that the run was trained on", "name that set, unchanged"
            )
        return next(iter(self._facts.values())).global_batch_size

    def origins(self) -> dict[int, Origin]:
        """What each attempt went on from."""
        return {attempt: Origin(each.parent, each.resumed_step) for attempt, each in self._facts.items()}

    def counted(self, epoch: int, spans: Sequence[Span]) -> Iterator[tuple[Part, int]]:
        """The parts of an epoch with the steps that count, and how many of each do not."""
        span_of = {each.attempt: each for each in spans}
        nothing = Span(0, 0, 0)
        for part in self._all(self._places[epoch]):
            span = span_of.get(part.facts.attempt, nothing)
            kept = part.between(span.after, span.last)
            yield kept, len(part.step) - len(kept.step) if part.facts.rank == 0 else 0

    def uses(self, epoch: int, spans: Sequence[Span], layout: Layout, wanted: Sequence[int]) -> list[Use]:
        """Where films were used."""
        found: list[Use] = []
        for part, _ in self.counted(epoch, spans):
            numbers = layout.numbers(part.shard, part.record)
            found += uses(part, np.isin(numbers, wanted), numbers)
        return sorted(found, key=lambda use: (use.batch, use.slot))

    def _all(self, places: Sequence[Place]) -> Iterator[Part]:
        """A few at a time, side by side."""
        with ThreadPoolExecutor(_READS_AT_ONCE) as readers:
            for start in range(0, len(places), _READS_AT_ONCE):
                yield from readers.map(self._read, places[start : start + _READS_AT_ONCE])

    def _read(self, place: Place) -> Part:
        return part_from_bytes(self._store.read(place.name), f"{FOLDER}/{place.name}")


def _standing(run: Store) -> Standing:
    reached = standing(run)
    if reached is None:
        raise DataError(run.key, run.where, "has no checkpoint, so nothing of it counts yet", "train on, then audit")
    return reached


def _drawn(checksums: Checksums, count: int, rng: np.random.Generator) -> list[int]:
    met = np.flatnonzero(checksums.met)
    return sorted(rng.choice(met, min(count, len(met)), replace=False).tolist())


def _compared(films: Iterable[int], checksums: Checksums, stored: StoredFilms, layout: Layout) -> list[str]:
    """A line for each of the first films that training read otherwise than they are stored."""
    faults = []
    for film in films:
        shard, record = layout.place(film)
        if checksum(stored.pixels(shard, record)) != int(checksums.pixels[film]):
            name = f"film {stored.name(shard, record)} (shard {shard}, record {record})"
            faults.append(f"{name} is stored with other pixels than were used")
    return faults[:FIRST]
