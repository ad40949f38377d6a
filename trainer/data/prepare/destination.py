"""The place that prepare fills: what it is being filled with, so that nobody mixes two sets, and what exists in it."""

import json
from collections.abc import Iterable, Mapping, Set

import trainer
from trainer.config import PrepareConfig, StoreConfig
from trainer.data.shard.manifest import MANIFEST_NAME, SPLITS, Split, sha256_of
from trainer.data.shard.patients import KEY_VARIABLE
from trainer.data.source.inputs import Inputs
from trainer.data.source.objects import read_object
from trainer.data.store.store import AlreadyThere, Store
from trainer.errors import DataError
from trainer.labels import LabelSet

SETTINGS_NAME = "prepare.json"

_PROGRAM = "program"
_FILES = ("table", "train_list", "test_list")
_WITHOUT_EFFECT = {"destination", "processes", "on_bad_film", "on_missing_film", "workers", "worker"}


def settings_of(
    config: PrepareConfig, labels: LabelSet, key_fingerprint: str, inputs: Inputs, stores: StoreConfig
) -> dict[str, str]:
    """What the written bytes depend on, as text; of files their hashes, so that they may be moved.

    Archives are told apart by name and size, folders by the names of their films: reading them twice takes too long.
    """
    dumped = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT | set(_FILES) | {"source"})
    settings = {
        f"prepare.{name}": value if isinstance(value, str) else json.dumps(value) for name, value in dumped.items()
    }
    for name in _FILES:
        where = getattr(config, name)
        settings[f"prepare.{name}"] = sha256_of(read_object(where, stores, f"prepare.{name}")) if where else ""
    films = sorted(inputs.records[number].film for number in inputs.files)
    archives = (f"{each.placed.name} {each.bytes}" for each in inputs.sources.archives)
    settings["prepare.source"] = sha256_of("\n".join([*films, *archives]).encode())
    return settings | {"data.labels": labels.name, KEY_VARIABLE: key_fingerprint, _PROGRAM: trainer.__version__}


def claim(destination: Store, settings: Mapping[str, str], *, complete: bool) -> None:
    """Keeps the place to films prepared with these settings, by whomever: workers, copies of them, later runs.

    To what is complete, another version of the program adds nothing, so it may come.

    Raises DataError if it holds films prepared with others, or some of unknown making.
    """
    # Looked for before the settings are, which whoever fills the place writes first.
    foreign = [split for split in SPLITS if next(destination.entries(split), None)]
    if foreign and not destination.exists(SETTINGS_NAME):
        rule = f"holds {foreign[0]}/ but no {SETTINGS_NAME}, so it is not known how that was made"
        raise DataError(destination.key, destination.where, rule, "remove it or name another place")
    try:
        destination.create(SETTINGS_NAME, f"{json.dumps(dict(settings), indent=2)}\n".encode())
    except AlreadyThere:
        _refuse_other_settings(destination, settings, {_PROGRAM} if complete else set())


def are_complete(destination: Store, splits: Iterable[Split]) -> bool:
    """Whether all of these sets exist."""
    return all(destination.exists(f"{split}/{MANIFEST_NAME}") for split in splits)


def _refuse_other_settings(destination: Store, new: Mapping[str, str], but: Set[str]) -> None:
    try:
        old = json.loads(destination.read(SETTINGS_NAME))
    except ValueError as error:
        rule = f"holds a damaged {SETTINGS_NAME} ({error})"
        raise DataError(destination.key, destination.where, rule, "remove it, or name another place") from error
    for key in sorted((old.keys() | new.keys()) - but):
        if old.get(key) != new.get(key):
            raise DataError(
                destination.key,
                destination.where,
                f"was begun with {key} {old.get(key)!r}, which is now {new.get(key)!r}",
                "remove it, name another place, or use the same settings",
            )
