"""What a worker does, in order, as a stream of steps: every film, and where a shard or an archive ends."""

from collections import Counter
from collections.abc import Callable, Container, Iterator
from itertools import islice
from typing import TypeVar, cast

from trainer.data.prepare.decoding import ArchiveEnd, FilmTask, ShardEnd, Step
from trainer.data.prepare.tasks import FolderShard, ShardKey, archive_shard, archive_shards
from trainer.data.shard.manifest import Split
from trainer.data.shard.patients import PatientHasher
from trainer.data.source.inputs import Inputs
from trainer.data.source.record import Record
from trainer.data.source.sources import Place, stream_archive

Item = TypeVar("Item")

MakeTask = Callable[[ShardKey, Record, "Place | bytes"], FilmTask]


def task_maker(hasher: PatientHasher) -> MakeTask:
    """What makes the task of a film; of its patient only the hash goes on."""

    def make(key: ShardKey, record: Record, content: Place | bytes) -> FilmTask:
        return FilmTask(key, record.film, hasher.hash(record.patient), record.labels, content, record.demographics)

    return make


def folder_steps(shard: FolderShard, inputs: Inputs, make: MakeTask) -> Iterator[Step]:
    """The films of a shard from folders."""
    for number in shard.films:
        yield make(shard.key, inputs.records[number], inputs.files[number])
    yield ShardEnd(shard.key)


def archive_steps(
    archive: int, inputs: Inputs, per_shard: int, finished: Container[ShardKey], make: MakeTask
) -> Iterator[Step]:
    """The films of an archive, in its order; those of finished shards are passed over."""
    finder, films = inputs.finder.branch(), Counter[Split]()
    for number, content in stream_archive(inputs.sources.archives[archive], finder):
        record = inputs.records[number]
        split = cast(Split, record.split)
        key = archive_shard(archive, split, films[split], per_shard)
        films[split] += 1
        if key not in finished:
            yield make(key, record, content)
            if films[split] % per_shard == 0:
                yield ShardEnd(key)
    unfilled = [split for split, count in films.items() if count % per_shard]
    for split in unfilled:
        last = archive_shards(archive, {split: films[split]}, per_shard)[-1]
        if last not in finished:
            yield ShardEnd(last)
    yield ArchiveEnd(archive, dict(films), finder.unlisted)


def chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of ``size``; the last may be shorter."""
    while chunk := list(islice(items, size)):
        yield chunk
