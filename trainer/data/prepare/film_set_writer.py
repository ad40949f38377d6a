"""One set (training, validation or test) while it is written: shards one after another, at the end the manifest."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainer.config import PrepareConfig
from trainer.data.prepare.destination import finished_shards
from trainer.data.shard.example import StoredFilm
from trainer.data.shard.manifest import ClassCounts, ImageInfo, Made, Manifest, Split, write_manifest
from trainer.data.shard.patients import PatientHasher, write_patients
from trainer.data.shard.shards import ShardWriter, shard_name
from trainer.data.source.catalog import Record
from trainer.data.store.folder import FolderStore
from trainer.labels import LabelSet


class FilmSetWriter:
    """Writes a set into a folder of its name, going on after the shards that an earlier run finished there.

    Args:
        destination: the folder that gets the sets' folders.
        split: the set.
        config: encoding, size and shard size.
        hasher: of the patients.
        records: the set's films by name.
    """

    def __init__(
        self, destination: Path, split: Split, config: PrepareConfig, hasher: PatientHasher, records: dict[str, Record]
    ) -> None:
        self._directory, self._split, self._config, self._hasher = destination / split, split, config, hasher
        self._store = FolderStore(self._directory, "prepare.destination")
        self._directory.mkdir(exist_ok=True)
        finished = finished_shards(self._directory)
        self._shards = [each.info for each in finished]
        self.finished = frozenset(film for each in finished for film in each.films)
        """Films that earlier runs wrote."""
        self._records = [records[film] for film in sorted(self.finished)]
        self._current: ShardWriter | None = None

    @property
    def films(self) -> int:
        """Films in the set so far."""
        return len(self._records)

    def append(self, record: Record, image: bytes) -> None:
        """Adds a film; closes the shard once it is large enough."""
        if self._current is None:
            self._current = ShardWriter(self._directory, shard_name(len(self._shards)))
        config = self._config
        patient = self._hasher.hash(record.patient)
        side = config.image_size
        self._current.append(StoredFilm(record.film, patient, record.labels, image, config.encoding, side, side))
        self._records.append(record)
        if self._current.bytes >= config.shard_mebibytes * 2**20:
            self.close()

    def close(self) -> None:
        """Closes the last shard."""
        if self._current is not None:
            self._shards.append(self._current.close())
            self._current = None

    def abandon(self) -> None:
        """Lets go of the shard that is not closed; the closed ones stay."""
        if self._current is not None:
            self._current.abandon()
            self._current = None

    def write_manifest(self, labels: LabelSet, made: Made) -> None:
        """Makes the set exist; all films are in closed shards."""
        hashes = {self._hasher.hash(record.patient) for record in self._records}
        side = self._config.image_size
        manifest = Manifest(
            labels=labels.name,
            classes=labels.classes,
            split=self._split,
            films=self.films,
            patients=len(hashes),
            image=ImageInfo(height=side, width=side, encoding=self._config.encoding),
            counts=_count(labels, self._records),
            shards=tuple(self._shards),
            patients_file=write_patients(self._store, hashes, self._hasher.fingerprint),
            made=made,
        )
        write_manifest(self._store, manifest)


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
