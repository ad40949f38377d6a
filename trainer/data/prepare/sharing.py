"""What one of several workers has to do, and what of it is finished."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from trainer.config import PrepareConfig
from trainer.data.prepare.decoding import Step
from trainer.data.prepare.parts import Part, Parts
from trainer.data.prepare.steps import archive_steps, folder_steps, task_maker
from trainer.data.prepare.tasks import FolderShard, ShardKey, archive_of, archive_shards, films_per_shard, share
from trainer.data.shard.patients import hasher_from_environment
from trainer.data.source.inputs import Inputs


@dataclass(frozen=True)
class Share:
    """Shards of folders, and archives by number, that are to be done; and the shards of this worker that are."""

    shards: Sequence[FolderShard]
    archives: Sequence[int]
    finished: Mapping[ShardKey, Part]

    @property
    def films_finished(self) -> int:
        """Films that earlier runs did."""
        return sum(part.seen for part in self.finished.values())

    def films(self, inputs: Inputs) -> int:
        """Films in all; a guess as long as archives are to be read: all those in no folder."""
        in_archives = len(inputs.records) - len(inputs.files) if self.archives else 0
        return self.films_finished + sum(len(shard.films) for shard in self.shards) + in_archives

    def steps(self, inputs: Inputs, config: PrepareConfig) -> Iterator[Step]:
        """All there is to do, in order."""
        make, per_shard = task_maker(hasher_from_environment()), films_per_shard(config)
        folders = (folder_steps(shard, inputs, make) for shard in self.shards)
        archives = (archive_steps(each, inputs, per_shard, self.finished, make) for each in self.archives)
        return chain.from_iterable(chain(folders, archives))


def share_of(worker: int, shards: Sequence[FolderShard], inputs: Inputs, parts: Parts, config: PrepareConfig) -> Share:
    """The share of a worker. A shard with bad films is done again where these may not be left out."""
    tasks = share([*shards, *range(len(inputs.sources.archives))], worker, config.workers)
    own_shards = [task for task in tasks if isinstance(task, FolderShard)]
    own_archives = [task for task in tasks if isinstance(task, int)]
    keys = [shard.key for shard in own_shards]
    if own_archives:
        keys += [key for key in parts.recorded() if archive_of(key) in own_archives]
    redo_bad = config.on_bad_film == "error"
    finished = {key: part for key, part in parts.finished(keys).items() if not (redo_bad and part.bad)}
    unread = _unread(own_archives, finished, parts, films_per_shard(config)) if own_archives else []
    return Share([shard for shard in own_shards if shard.key not in finished], unread, finished)


def _unread(archives: Sequence[int], finished: Mapping[ShardKey, Part], parts: Parts, per_shard: int) -> Sequence[int]:
    """The archives of which a shard is not finished, or that were not read to the end."""
    read = parts.archives(max(archives) + 1)
    return [
        archive
        for archive in archives
        if archive not in read or not finished.keys() >= set(archive_shards(archive, read[archive].films, per_shard))
    ]
