"""``cxr-train prepare``: films and a catalog to sets of shards, by one worker or many; what is finished is kept."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.prepare.decoding import DecodedFilm, Step, Storage, Work, decode_chunk
from trainer.data.prepare.destination import are_complete, claim, settings_of
from trainer.data.prepare.filling import Filling
from trainer.data.prepare.merging import find_finished, write_sets
from trainer.data.prepare.parts import Part, Parts
from trainer.data.prepare.result import PrepareResult
from trainer.data.prepare.steps import archive_steps, chunks, folder_steps, task_maker
from trainer.data.prepare.tasks import FolderShard, ShardKey, archive_of, archive_shards, deal, films_per_shard, share
from trainer.data.prepare.workers import map_in_order
from trainer.data.shard.manifest import Manifest, Split, read_manifest
from trainer.data.shard.patients import hasher_from_environment
from trainer.data.source.inputs import Inputs, collect
from trainer.data.store.opening import open_store
from trainer.errors import UsageError
from trainer.labels import LabelSet

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job: the number of the pod."""

# A process gets so many at a time: large beside the cost of handing them over, small beside a run.
_STEPS_PER_CHUNK = 32

Progress = Callable[[int, int], None]
"""Called with films done, those of earlier runs among them, and films of this worker in all."""


@dataclass(frozen=True)
class Share:
    """What this worker has to do: shards of folders, and archives; and what of it is finished."""

    shards: list[FolderShard]
    archives: list[int]
    finished: Mapping[ShardKey, Part]


def prepare(config: PrepareConfig, stores: StoreConfig, labels: LabelSet, progress: Progress) -> PrepareResult:
    """Fills ``config.destination`` with training/, validation/ and test/, as far as the catalog has films of each.

    The bytes written depend on films, table, settings and the patients' key, not on processes, workers or
    interruptions.
    Raises UsageError for a missing setting, DataError for a wrong table, source or film, StoreDown.
    """
    started = time.perf_counter()
    if not config.destination:
        raise UsageError("prepare.destination", config.destination, "is empty", "name the folder or store to fill")
    worker = worker_of(config)
    destination, hasher = open_store(config.destination, stores, "prepare.destination"), hasher_from_environment()
    inputs = collect(config, labels, stores)
    claim(destination, settings_of(config, labels, hasher.fingerprint, inputs, stores))
    parts = Parts(destination)
    filling = Filling(destination, parts, skip_bad=config.on_bad_film == "skip")
    complete = are_complete(destination, inputs.splits)
    manifests: Mapping[Split, Manifest] = {}
    unlisted = inputs.finder.unlisted
    if complete:
        manifests = {split: read_manifest(destination.under(split)) for split in inputs.splits}
    else:
        shards = deal(inputs.records, inputs.files, config)
        own = _share(shards, inputs, parts, config, worker)
        _fill(filling, own, inputs, Work(inputs.sources.folders, stores, _storage(config)), config, progress)
        finished = find_finished(parts, inputs, shards, config)
        if finished:
            manifests = write_sets(destination, finished, inputs, config, labels, hasher)
            unlisted += finished.files_unlisted
    return PrepareResult(
        manifests,
        unlisted,
        complete,
        f"worker {worker} of {config.workers}",
        filling.shards,
        filling.stored,
        time.perf_counter() - started,
    )


def worker_of(config: PrepareConfig) -> int:
    """Which of the workers this one is. Raises UsageError if there are not so many."""
    index = config.worker if config.worker >= 0 else int(os.environ.get(INDEX_VARIABLE, "0"))
    if index >= config.workers:
        rule = f"is not one of 0 to {config.workers - 1}, as prepare.workers is {config.workers}"
        raise UsageError("prepare.worker", index, rule, "count workers from 0, and give all the same prepare.workers")
    return index


def _storage(config: PrepareConfig) -> Storage:
    return Storage(config.image_size, config.encoding, config.jpeg_quality, config.minimum_side, config.dicom)


def _share(shards: list[FolderShard], inputs: Inputs, parts: Parts, config: PrepareConfig, worker: int) -> Share:
    tasks = share([*shards, *range(len(inputs.sources.archives))], worker, config.workers)
    own_shards = [task for task in tasks if isinstance(task, FolderShard)]
    own_archives = [task for task in tasks if isinstance(task, int)]
    keys = [shard.key for shard in own_shards]
    if own_archives:
        keys += [key for key in parts.recorded() if archive_of(key) in own_archives]
    redo_bad = config.on_bad_film == "error"
    finished = {key: part for key, part in parts.finished(keys).items() if not (redo_bad and part.bad)}
    read = parts.archives(len(inputs.sources.archives)) if own_archives else {}
    per_shard = films_per_shard(config)
    unread = [
        each
        for each in own_archives
        if each not in read or not finished.keys() >= set(archive_shards(each, read[each].films, per_shard))
    ]
    return Share([shard for shard in own_shards if shard.key not in finished], unread, finished)


def _fill(filling: Filling, own: Share, inputs: Inputs, work: Work, config: PrepareConfig, progress: Progress) -> None:
    done = sum(part.seen for part in own.finished.values())
    total = done + sum(len(shard.films) for shard in own.shards)
    if own.archives:
        total += len(inputs.records) - len(inputs.files)
    steps = chunks(_steps(own, inputs, config), _STEPS_PER_CHUNK)
    try:
        with closing(map_in_order(partial(decode_chunk, work=work), steps, config.processes)) as results:
            for chunk in results:
                for step in chunk:
                    filling.take(step)
                done += sum(isinstance(step, DecodedFilm) for step in chunk)
                progress(done, max(done, total))
    finally:
        filling.abandon()


def _steps(own: Share, inputs: Inputs, config: PrepareConfig) -> Iterator[Step]:
    make = task_maker(hasher_from_environment())
    per_shard = films_per_shard(config)
    folders = (folder_steps(shard, inputs, make) for shard in own.shards)
    archives = (archive_steps(each, inputs, per_shard, own.finished, make) for each in own.archives)
    return chain.from_iterable(chain(folders, archives))
