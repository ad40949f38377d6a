"""Which film goes into which shard, and which worker makes it: pure, so that all workers agree without a word.

What a shard holds depends on its own films alone: the films of folders are dealt over the files found, a bad one
leaves a gap; those of an archive fill shards of that archive, in its order. The number of workers is in neither.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from trainer.config import PrepareConfig
from trainer.data.film.images import Encoding
from trainer.data.shard.manifest import SPLITS, Split
from trainer.data.source.record import Record
from trainer.data.source.sources import Place, shuffled
from trainer.errors import DataError

_SHARDS_PER_ARCHIVE = 100_000
"""Numbers kept for each archive's shards, from so many on; those below are of folders."""

# Bytes of a record but its image: names, labels, framing.
_RECORD_BYTES = 300
# Of NIH's films at 224 pixels, jpeg of quality 95.
_BYTES_PER_PIXEL: Mapping[Encoding, float] = {"raw": 1.0, "jpeg": 0.25, "png": 0.42}

Task = TypeVar("Task")


class ShardKey(NamedTuple):
    """A shard: its set, and its number there."""

    split: Split
    number: int


class FolderShard(NamedTuple):
    """A shard of films from folders, by their numbers, in the shard's order."""

    key: ShardKey
    films: tuple[int, ...]


def films_per_shard(config: PrepareConfig) -> int:
    """Films that take about ``config.shard_mebibytes``; of compressed ones the size is a guess."""
    film = config.image_size**2 * _BYTES_PER_PIXEL[config.encoding] + _RECORD_BYTES
    return max(1, int(config.shard_mebibytes * 2**20 / film))


def deal(records: Sequence[Record], files: Mapping[int, Place], config: PrepareConfig) -> list[FolderShard]:
    """The shards of the films found in folders: each set's in an order drawn with the seed, in runs of equal length."""
    tasks = []
    for split in SPLITS:
        numbers = sorted(number for number in files if records[number].split == split)
        order = shuffled([records[number].film for number in numbers], config.seed)
        shards = -(-len(order) // films_per_shard(config))
        for shard in range(shards):
            run = order[len(order) * shard // shards : len(order) * (shard + 1) // shards]
            tasks.append(FolderShard(ShardKey(split, shard), tuple(numbers[place] for place in run)))
    return tasks


def archive_shard(archive: int, split: Split, films_before: int, per_shard: int) -> ShardKey:
    """The shard of the next film of ``split`` in an archive. Raises DataError where numbers run out."""
    shard = films_before // per_shard
    if shard >= _SHARDS_PER_ARCHIVE:
        rule = f"films a shard make more than {_SHARDS_PER_ARCHIVE} shards of one archive"
        raise DataError("prepare.shard_mebibytes", per_shard, rule, "set a larger one")
    return ShardKey(split, (archive + 1) * _SHARDS_PER_ARCHIVE + shard)


def archive_of(key: ShardKey) -> int | None:
    """The archive a shard is of; None: of folders."""
    archive = key.number // _SHARDS_PER_ARCHIVE - 1
    return archive if archive >= 0 else None


def archive_shards(archive: int, films: Mapping[Split, int], per_shard: int) -> list[ShardKey]:
    """All shards of an archive that holds so many films of each set."""
    return [
        archive_shard(archive, split, start, per_shard)
        for split, count in films.items()
        for start in range(0, count, per_shard)
    ]


def share(tasks: Sequence[Task], worker: int, workers: int) -> Sequence[Task]:
    """The tasks of one of ``workers``: every so-many-th."""
    return tasks[worker::workers]
