"""The folder that prepare fills: what it is being filled with, and what is finished in it."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from trainer.config import PrepareConfig
from trainer.data.shard.index import ShardIndex
from trainer.data.shard.manifest import MANIFEST_NAME, SPLITS, ShardInfo, sha256_of
from trainer.data.shard.patients import KEY_VARIABLE
from trainer.data.shard.shards import index_path, shard_name
from trainer.data.shard.tfrecord import is_sound
from trainer.durable import write_durably
from trainer.errors import DataError
from trainer.labels import LabelSet

SETTINGS_NAME = "prepare.json"

_FILES = ("table", "train_list", "test_list")
_WITHOUT_EFFECT = {"destination", "processes", "on_bad_film", "on_missing_film"}


class FinishedShard(NamedTuple):
    """A shard that an earlier run closed, and the films in it."""

    info: ShardInfo
    films: list[str]


def settings_of(
    config: PrepareConfig, labels: LabelSet, key_fingerprint: str, films: Iterable[str], archives: Iterable[Path]
) -> dict[str, str]:
    """What the written bytes depend on, as text; of files their hashes, so that they may be moved.

    Args:
        config: the settings.
        labels: the classes.
        key_fingerprint: of the patients' key.
        films: found in folders.
        archives: told apart by name and size; reading them twice would take too long.
    """
    dumped = config.model_dump(mode="json", exclude=_WITHOUT_EFFECT | set(_FILES) | {"source"})
    settings = {
        f"prepare.{name}": value if isinstance(value, str) else json.dumps(value) for name, value in dumped.items()
    }
    settings |= {f"prepare.{name}": _file_hash(getattr(config, name)) for name in _FILES}
    found = [*sorted(films), *(f"{archive.name} {archive.stat().st_size}" for archive in archives)]
    settings["prepare.source"] = sha256_of("\n".join(found).encode())
    return settings | {"data.labels": labels.name, KEY_VARIABLE: key_fingerprint}


@contextmanager
def claimed(destination: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Keeps the folder, for as long as it is filled, to this process and to films prepared with these settings.

    The same settings may come back to it. Raises DataError if it holds films prepared with others, or if another
    process is filling it.
    """
    destination.mkdir(parents=True, exist_ok=True)
    folder = os.open(destination, os.O_RDONLY)
    try:
        _lock(folder, destination)
        _reserve(destination, settings)
        yield
    finally:
        os.close(folder)


def _lock(folder: int, destination: Path) -> None:
    """Until the descriptor is closed, by whatever ends the process."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        rule = "is being filled by another 'cxr-train prepare'"
        raise DataError("prepare.destination", str(destination), rule, "wait for it, or name another") from error


def _reserve(destination: Path, settings: Mapping[str, str]) -> None:
    path = destination / SETTINGS_NAME
    if path.is_file():
        _refuse_other_settings(destination, path.read_bytes(), settings)
        return
    for split in SPLITS:
        if (destination / split).exists():
            rule = f"holds {split}/ but no {SETTINGS_NAME}, so it is not known how that was made"
            raise DataError("prepare.destination", str(destination), rule, "remove the folder or name another")
    write_durably(path, f"{json.dumps(dict(settings), indent=2)}\n".encode())


def is_complete(directory: Path) -> bool:
    """Whether the set in ``directory`` exists."""
    return (directory / MANIFEST_NAME).is_file()


def finished_shards(directory: Path) -> list[FinishedShard]:
    """The shards that earlier runs closed, in order. Raises DataError if one of them is damaged."""
    finished: list[FinishedShard] = []
    while (path := directory / shard_name(len(finished))).is_file():
        finished.append(_read_finished(path))
    return finished


def _refuse_other_settings(destination: Path, earlier: bytes, new: Mapping[str, str]) -> None:
    try:
        old = json.loads(earlier)
    except ValueError as error:
        rule = f"holds a damaged {SETTINGS_NAME} ({error})"
        raise DataError("prepare.destination", str(destination), rule, "remove the folder, or name another") from error
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise DataError(
                "prepare.destination",
                str(destination),
                f"was begun with {key} {old.get(key)!r}, which is now {new.get(key)!r}",
                "remove the folder, name another, or use the same settings",
            )


def _file_hash(path: str) -> str:
    return sha256_of(Path(path).read_bytes()) if Path(path).is_file() else ""


def _read_finished(path: Path) -> FinishedShard:
    content, index_file = path.read_bytes(), index_path(path).read_bytes()
    index = ShardIndex(index_file)
    records = index.records(range(len(index)))
    if records[-1].end != len(content) or not all(is_sound(content[start:end]) for start, end in records):
        raise DataError(str(path), len(content), "bytes are not the records of its index", "remove the folder")
    info = ShardInfo(
        name=path.name,
        bytes=len(content),
        records=len(index),
        sha256=hashlib.sha256(content).hexdigest(),
        index_sha256=sha256_of(index_file),
    )
    return FinishedShard(info, index.ids())
