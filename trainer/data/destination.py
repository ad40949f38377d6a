"""The folder that prepare fills: what it is being filled with, and what is finished in it."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.data.durable import write_durably
from trainer.data.manifest import MANIFEST_NAME, SPLITS, ShardInfo, sha256_of
from trainer.data.shards import index_path, shard_name
from trainer.data.tfrecord import is_sound
from trainer.errors import DataError

SETTINGS_NAME = "prepare.json"


class FinishedShard(NamedTuple):
    """A shard that an earlier run closed, and the films in it."""

    info: ShardInfo
    films: list[str]


def claim(destination: Path, settings: Mapping[str, str]) -> None:
    """Reserves the folder for films prepared with these settings; the same ones may come back to it.

    Raises DataError if it holds films prepared with others.
    """
    path = destination / SETTINGS_NAME
    if path.is_file():
        _refuse_other_settings(destination, json.loads(path.read_bytes()), settings)
        return
    for split in SPLITS:
        if (destination / split).exists():
            rule = f"holds {split}/ but no {SETTINGS_NAME}, so it is not known how that was made"
            raise DataError("prepare.destination", str(destination), rule, "remove the folder or name another")
    destination.mkdir(parents=True, exist_ok=True)
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


def _refuse_other_settings(destination: Path, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            raise DataError(
                "prepare.destination",
                str(destination),
                f"was begun with {key} {old.get(key)!r}, which is now {new.get(key)!r}",
                "remove the folder, name another, or use the same settings",
            )


def _read_finished(path: Path) -> FinishedShard:
    content, index_file = path.read_bytes(), index_path(path).read_bytes()
    index = np.load(io.BytesIO(index_file), allow_pickle=False)
    ends = (index["record_offset"] + index["record_bytes"]).tolist()
    starts = [0, *ends[:-1]]
    if ends[-1] != len(content) or not all(is_sound(content[a:b]) for a, b in zip(starts, ends, strict=True)):
        raise DataError(str(path), len(content), "bytes are not the records of its index", "remove the folder")
    names = zip(index["id_offset"].tolist(), index["id_bytes"].tolist(), strict=True)
    info = ShardInfo(
        name=path.name,
        bytes=len(content),
        records=len(index),
        sha256=hashlib.sha256(content).hexdigest(),
        index_sha256=sha256_of(index_file),
    )
    return FinishedShard(info, [content[start : start + size].decode() for start, size in names])
