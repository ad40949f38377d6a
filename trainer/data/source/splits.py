"""Which set a film belongs to: NIH's official lists, or by patient; a patient is never in two."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.shard.manifest import SPLITS, Split
from trainer.data.source.objects import read_object
from trainer.data.source.record import Assignment, Record
from trainer.errors import DataError, UsageError

_EMPTY_CURE = {
    "training": "check that the lists, or the split column, name the table's films",
    "validation": "set prepare.validation_fraction=0 for none, or a larger one",
    "test": "check prepare.test_list, or with prepare.split=patient set prepare.test_fraction=0 for none",
}


def assign_splits(records: Sequence[Record], config: PrepareConfig, stores: StoreConfig) -> list[Record]:
    """The records with their sets.

    The table's own column decides where ``config.columns.split`` names one, else ``config.split``. The set of a
    patient is a function of the seed and the patient alone, so a table that grows moves nobody.
    Raises DataError if a patient is in two sets, or a set that was asked for is empty.
    """
    if _has_split_column(config):
        assigned = list(records)
    elif config.split == "official":
        assigned = _by_lists(records, config, stores)
    else:
        assigned = _by_patient(records, config)
    _refuse_divided_patients(assigned, config)
    _refuse_empty_splits(assigned, config)
    return assigned


def patient_draw(seed: int, patient: str) -> float:
    """A number in [0, 1) drawn for the patient: the same in every table."""
    digest = hashlib.blake2b(patient.encode(), digest_size=8, key=str(seed).encode(), person=b"cxr-split").digest()
    return int.from_bytes(digest, "little") / 2**64


def _by_patient(records: Sequence[Record], config: PrepareConfig) -> list[Record]:
    test, validation = config.test_fraction, config.validation_fraction
    if test + validation >= 1:
        both = f"plus prepare.test_fraction {test} leave no patient for training"
        raise UsageError("prepare.validation_fraction", validation, both, "make their sum less than 1")

    def split(record: Record) -> Assignment:
        draw = patient_draw(config.seed, record.patient)
        return "test" if draw < test else "validation" if draw < test + validation else "training"

    return [record._replace(split=split(record)) for record in records]


def _by_lists(records: Sequence[Record], config: PrepareConfig, stores: StoreConfig) -> list[Record]:
    training = _read_list("prepare.train_list", config.train_list, stores)
    test = _read_list("prepare.test_list", config.test_list, stores)
    if both := training & test:
        rule = f"names {len(both)} films that prepare.train_list names too"
        raise DataError("prepare.test_list", config.test_list, rule, "name each film in one of the lists")

    def split(record: Record) -> Assignment:
        if record.film in training:
            kept = patient_draw(config.seed, record.patient) < config.validation_fraction
            return "validation" if kept else "training"
        return "test" if record.film in test else ""

    return [record._replace(split=split(record)) for record in records]


def _read_list(key: str, path: str, stores: StoreConfig) -> frozenset[str]:
    if not path:
        raise UsageError(key, path, "is empty", "name the list of films, or set prepare.split=patient")
    try:
        lines = read_object(path, stores, key).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(key, path, f"is not text ({error.reason})", "name a list of film names, one a line") from error
    return frozenset(line.strip() for line in lines) - {""}


def _wanted_splits(config: PrepareConfig) -> tuple[Split, ...]:
    """The sets that must not be empty; a split column decides by itself which there are, but for training."""
    if _has_split_column(config):
        return ("training",)
    with_test = config.split == "official" or config.test_fraction > 0
    asked = {"training": True, "validation": config.validation_fraction > 0, "test": with_test}
    return tuple(split for split in SPLITS if asked[split])


def _refuse_divided_patients(records: Sequence[Record], config: PrepareConfig) -> None:
    splits = defaultdict(set)
    for record in records:
        if record.split:
            splits[record.patient].add(record.split)
    divided = sum(len(each) > 1 for each in splits.values())
    if divided:
        rule = f"puts {divided} patients into two of training, validation and test"
        key, value = _decided_by(config)
        raise DataError(key, value, rule, "give each patient one set, or draw them with prepare.split=patient")


def _refuse_empty_splits(records: Sequence[Record], config: PrepareConfig) -> None:
    filled = {record.split for record in records}
    for split in _wanted_splits(config):
        if split not in filled:
            raise DataError(_decided_by(config)[0], split, "would hold no film of the table", _EMPTY_CURE[split])


def _has_split_column(config: PrepareConfig) -> bool:
    return config.catalog == "csv" and bool(config.columns.split)


def _decided_by(config: PrepareConfig) -> tuple[str, str]:
    """The setting that decides the sets, and its value."""
    if _has_split_column(config):
        return "prepare.columns.split", config.columns.split
    return "prepare.split", config.split
