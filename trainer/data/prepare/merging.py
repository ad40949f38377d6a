"""From the records of all shards to sets: patients, what was left out, and last the manifests. The same by whomever."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import trainer
from trainer.config import PrepareConfig
from trainer.data.prepare.parts import Part, Parts
from trainer.data.prepare.tasks import FolderShard, ShardKey, archive_of, archive_shards, films_per_shard
from trainer.data.shard.manifest import ClassCounts, ImageInfo, Made, Manifest, ShardInfo, Split, write_manifest
from trainer.data.shard.patients import PatientHasher, write_patients
from trainer.data.shard.people import PeopleCounts, sum_people
from trainer.data.source.inputs import Inputs, refuse_missing
from trainer.data.source.record import Record
from trainer.data.source.sources import KEY
from trainer.data.store.store import Store
from trainer.errors import DataError
from trainer.labels import LabelSet

LEFT_OUT_NAME = "bad_films.csv"


@dataclass(frozen=True)
class Contents:
    """What a set holds: its shards, the records of its films, their groups, and how it came about."""

    split: Split
    shards: tuple[ShardInfo, ...]
    records: Sequence[Record]
    people: PeopleCounts
    made: Made


@dataclass(frozen=True)
class Finished:
    """The records of all shards of all sets, in their order."""

    parts: Mapping[ShardKey, Part]
    files_unlisted: int


def find_finished(
    parts: Parts, inputs: Inputs, shards: Sequence[FolderShard], config: PrepareConfig
) -> Finished | None:
    """The records of everything, or None as long as one is missing."""
    count = len(inputs.sources.archives)
    archives = parts.archives(count)
    if len(archives) < count:
        return None
    keys = [shard.key for shard in shards]
    for number, archive in archives.items():
        keys += archive_shards(number, archive.films, films_per_shard(config))
    # Names first: as long as others are at it, reading what they finished would be in vain.
    if not set(keys).issubset(parts.recorded()):
        return None
    found = parts.finished(keys)
    if len(found) < len(keys):
        return None
    unlisted = sum(each.files_unlisted for each in archives.values())
    return Finished({key: found[key] for key in sorted(keys)}, unlisted)


def write_sets(
    destination: Store,
    finished: Finished,
    inputs: Inputs,
    config: PrepareConfig,
    labels: LabelSet,
    hasher: PatientHasher,
) -> dict[Split, Manifest]:
    """Makes all sets exist. Raises DataError if a film is there twice, or missing, or a set has none."""
    parts = finished.parts
    _refuse_twice(parts)
    refuse_missing(inputs, config, _seen_in_archives(parts))
    contents = _contents(parts, inputs, config)
    for split, each in contents.items():
        _refuse_empty(split, each)
    _write_left_out(destination, parts.values())
    return {
        split: write_set(destination.under(split), each, config, labels, hasher) for split, each in contents.items()
    }


def write_set(
    store: Store, contents: Contents, config: PrepareConfig, labels: LabelSet, hasher: PatientHasher
) -> Manifest:
    """Makes a set exist whose shards are in ``store``."""
    hashes = {hasher.hash(record.patient) for record in contents.records}
    side = config.image_size
    manifest = Manifest(
        labels=labels.name,
        classes=labels.classes,
        split=contents.split,
        films=len(contents.records),
        patients=len(hashes),
        image=ImageInfo(height=side, width=side, encoding=config.encoding),
        counts=_count(labels, contents.records),
        people=contents.people,
        shards=contents.shards,
        patients_file=write_patients(store, hashes, hasher.fingerprint),
        made=contents.made,
    )
    write_manifest(store, manifest)
    return manifest


def _contents(parts: Mapping[ShardKey, Part], inputs: Inputs, config: PrepareConfig) -> dict[Split, Contents]:
    by_name = {record.film: record for record in inputs.records}
    missing = Counter(inputs.records[number].split for number in inputs.missing(_seen_in_archives(parts)))
    contents = {}
    for split in inputs.splits:
        ours = [part for key, part in parts.items() if key.split == split]
        skipped = Counter(rule for part in ours for rule in part.skipped.values())
        made = Made(
            program=trainer.__version__,
            catalog=config.catalog,
            seed=config.seed,
            films_bad=sum(len(part.bad) for part in ours),
            films_missing=missing[split],
            films_skipped=dict(sorted(skipped.items())),
        )
        records = [by_name[film] for part in ours for film in part.films]
        shards, people = tuple(part.shard for part in ours if part.shard), sum_people(part.people for part in ours)
        contents[split] = Contents(split, shards, records, people, made)
    return contents


def _seen_in_archives(parts: Mapping[ShardKey, Part]) -> frozenset[str]:
    seen = (part for key, part in parts.items() if archive_of(key) is not None)
    return frozenset(film for part in seen for film in (*part.films, *part.bad, *part.skipped))


def _refuse_twice(parts: Mapping[ShardKey, Part]) -> None:
    first: dict[str, ShardKey] = {}
    for key, part in parts.items():
        for film in (*part.films, *part.bad, *part.skipped):
            if film in first:
                places = f"is in two archives: shard {first[film].number} and shard {key.number} of {key.split}"
                raise DataError(KEY, film, places, "keep one file a film, remove the destination and prepare anew")
            first[film] = key


def _refuse_empty(split: Split, contents: Contents) -> None:
    if not contents.records:
        rule = "would hold no film: all of its films are missing, bad or left out by rule"
        raise DataError(KEY, split, rule, "add their folder or archive to prepare.source")


def _write_left_out(destination: Store, parts: Iterable[Part]) -> None:
    rows = [row for part in parts for row in (part.bad | part.skipped).items()]
    if not rows:
        destination.delete([LEFT_OUT_NAME])
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("film", "reason"))
    writer.writerows(sorted(rows))
    destination.write(LEFT_OUT_NAME, text.getvalue().encode())


def _count(labels: LabelSet, records: Sequence[Record]) -> dict[str, ClassCounts]:
    marks = np.array([record.labels for record in records], dtype=np.float64).reshape(-1, len(labels.classes))
    positives, negatives = (marks == 1).sum(axis=0).tolist(), (marks == 0).sum(axis=0).tolist()
    counts = {}
    for name, positive, negative in zip(labels.classes, positives, negatives, strict=True):
        known = positive + negative
        counts[name] = ClassCounts(
            positive=positive,
            negative=negative,
            unknown=len(records) - known,
            prevalence=positive / known if known else None,
        )
    return counts
