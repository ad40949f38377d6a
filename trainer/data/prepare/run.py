"""``cxr-train prepare``: films and a catalog to sets of shards, by one worker or many; what is finished is kept."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial

from trainer.config import PrepareConfig, StoreConfig
from trainer.data.prepare.decoding import DecodedFilm, Storage, Work, decode_chunk
from trainer.data.prepare.destination import are_complete, claim, settings_of
from trainer.data.prepare.filling import Filling
from trainer.data.prepare.merging import Finished, find_finished, write_sets
from trainer.data.prepare.parts import Parts
from trainer.data.prepare.result import PrepareResult
from trainer.data.prepare.sharing import share_of
from trainer.data.prepare.steps import chunks
from trainer.data.prepare.tasks import deal
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


def prepare(config: PrepareConfig, stores: StoreConfig, labels: LabelSet, progress: Progress) -> PrepareResult:
    """Fills ``config.destination`` with training/, validation/ and test/, as far as the catalog has films of each.

    The bytes written depend on films, table, settings and the patients' key, not on processes, workers or
    interruptions.
    Raises UsageError for a missing setting, DataError for a wrong table, source or film, StoreDown.
    """
    started = time.perf_counter()
    if not config.destination:
        raise UsageError("prepare.destination", config.destination, "is empty", "name the folder or store to fill")
    worker, hasher = worker_of(config), hasher_from_environment()
    destination = open_store(config.destination, stores, "prepare.destination")
    inputs = collect(config, labels, stores)
    complete = are_complete(destination, inputs.splits)
    claim(destination, settings_of(config, labels, hasher.fingerprint, inputs, stores), complete=complete)
    filling = Filling(destination, Parts(destination), skip_bad=config.on_bad_film == "skip")
    finished = None
    if not complete:
        finished = _work(filling, inputs, config, stores, worker, progress)
    manifests: Mapping[Split, Manifest] = {}
    if finished:
        manifests = write_sets(destination, finished, inputs, config, labels, hasher)
    elif complete:
        manifests = {split: read_manifest(destination.under(split)) for split in inputs.splits}
    return PrepareResult(
        manifests=manifests,
        files_unlisted=inputs.finder.unlisted + (finished.files_unlisted if finished else 0),
        already_complete=complete,
        worker=f"worker {worker} of {config.workers}",
        shards_made=filling.shards,
        films_decoded=filling.stored,
        seconds=time.perf_counter() - started,
    )


def worker_of(config: PrepareConfig) -> int:
    """Which of the workers this one is. Raises UsageError if there are not so many."""
    index = config.worker if config.worker >= 0 else int(os.environ.get(INDEX_VARIABLE, "0"))
    if index >= config.workers:
        rule = f"is not one of 0 to {config.workers - 1}, as prepare.workers is {config.workers}"
        raise UsageError("prepare.worker", index, rule, "count workers from 0, and give all the same prepare.workers")
    return index


def _work(
    filling: Filling, inputs: Inputs, config: PrepareConfig, stores: StoreConfig, worker: int, progress: Progress
) -> Finished | None:
    """Does this worker's share; what all workers did, once it is all there."""
    parts, shards = filling.parts, deal(inputs.records, inputs.files, config)
    own = share_of(worker, shards, inputs, parts, config)
    storage = Storage(
        config.image_size,
        config.encoding,
        config.jpeg_quality,
        config.minimum_side,
        config.dicom,
        config.demographics,
    )
    decode = partial(decode_chunk, work=Work(inputs.sources.folders, stores, storage))
    done, total = own.films_finished, own.films(inputs)
    steps = chunks(own.steps(inputs, config), _STEPS_PER_CHUNK)
    try:
        with closing(map_in_order(decode, steps, config.processes)) as results:
            for chunk in results:
                for step in chunk:
                    filling.take(step)
                done += sum(isinstance(step, DecodedFilm) for step in chunk)
                progress(done, max(done, total))
    finally:
        filling.abandon()
    return find_finished(parts, inputs, shards, config)
