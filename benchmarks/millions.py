"""Ten million films: memory and time of the manifest, of a plan that is resumed in mid-epoch, and of the audit."""

import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.result import Finding
from trainer.audit.record import Facts, Part
from trainer.audit.tally import Checksums, Layout, Tally
from trainer.data.evidence import checksum
from trainer.data.plan import EpochPlan
from trainer.data.shard.manifest import parse_manifest
from trainer.data.store.folder import FolderStore

MINUTES = 3

LARGEST_MEBIBYTES, LONGEST_SECONDS = 200.0, 1.0


class Scale(NamedTuple):
    """A set of ``shards`` of ``films_per_shard``, trained on ``ranks`` with ``batch`` films a step."""

    shards: int
    films_per_shard: int
    batch: int
    ranks: int

    @property
    def what(self) -> str:
        """For a line of the table."""
        films = self.shards * self.films_per_shard
        return f"{films:,} films in {self.shards:,} shards, batch {self.batch}, {self.ranks} ranks"


# Shards of 64 MiB: 1,337 raw films of 224 px, or 143 of 670 px. One rank for all is the hardest case.
FULL = [Scale(7480, 1337, 256, 1), Scale(7480, 1337, 2048, 1), Scale(7480, 1337, 2048, 64), Scale(70_000, 143, 2048, 1)]
QUICK = [Scale(75, 1337, 64, 1)]

_BATCHES = 200


def measure(*, quick: bool) -> list[Finding]:
    """Memory is what Python and numpy hold at most; times are one core's, of one run."""
    scales = QUICK if quick else FULL
    findings = [finding for scale in (scales[0], scales[-1]) for finding in _manifest(scale)]
    findings += [finding for scale in scales for finding in _plan(scale)]
    return [*findings, *_audit(scales[0]), _evidence()]


def _manifest(scale: Scale) -> list[Finding]:
    content = _manifest_of(scale)
    store = FolderStore(Path("/nowhere"), "data.training")
    size = len(content) / 2**20
    what = f"manifest of {scale.shards:,} shards, {size:.0f} MiB"
    seconds = _seconds(lambda: parse_manifest(content, store))
    held, peak = _mebibytes(lambda: parse_manifest(content, store))
    return [
        Finding(f"{what}: parsed", {"in": [seconds]}, "s", seconds, "s", LONGEST_SECONDS, at_most=True),
        Finding(f"{what}: memory", {"held": [held], "at most": [peak]}, "MiB", peak, "MiB", LARGEST_MEBIBYTES, True),
    ]


def _plan(scale: Scale) -> list[Finding]:
    slots = range(scale.batch // scale.ranks)

    def resume() -> EpochPlan:
        plan = _plan_of(scale)
        plan.slots(plan.batches // 2, slots)
        return plan

    def look_ahead(plan: EpochPlan) -> None:
        plan.needs(slots, plan.batches // 2)

    def go_on(plan: EpochPlan) -> None:
        for batch in range(plan.batches // 2, min(plan.batches // 2 + _BATCHES, plan.batches)):
            plan.slots(batch, slots)

    resumed = _seconds(resume)
    _, peak = _mebibytes(lambda: (plan := resume(), look_ahead(plan), go_on(plan)))
    plan = resume()
    ahead = _seconds(lambda: look_ahead(plan))
    each = _seconds(lambda: go_on(plan)) / _BATCHES * 1e3
    return [
        Finding(
            f"first batch after a resume in mid-epoch, {scale.what}",
            {"in": [resumed]},
            "s",
            resumed,
            "s",
            LONGEST_SECONDS,
            True,
        ),
        Finding(
            f"shards it needs, found beside, {scale.what}", {"in": [ahead]}, "s", ahead, "s", LONGEST_SECONDS, True
        ),
        Finding(f"plan, {scale.what}", {"at most": [peak]}, "MiB", peak, "MiB", LARGEST_MEBIBYTES, True),
        Finding(f"slots of a batch, {scale.what}", {"in": [each]}, "ms", each, "ms"),
    ]


def _audit(scale: Scale) -> list[Finding]:
    """One epoch, counted from what eight ranks put on record."""
    parts = list(_parts(scale, ranks=8))
    layout = Layout.of([scale.films_per_shard] * scale.shards, scale.batch)

    def count() -> object:
        tally = Tally(layout, Checksums(layout.films), epoch=0, batches_done=layout.batches)
        for part in parts:
            tally.add(part)
        counted = tally.count()
        assert counted.verdict == "once each"
        return tally

    on_record = sum(len(part.to_bytes()) for part in parts) / layout.films
    seconds = _seconds(count)
    _, peak = _mebibytes(count)
    what = f"audit of an epoch of {layout.films:,} films"
    return [
        Finding(f"{what}: counted", {"in": [seconds]}, "s", seconds, "s"),
        Finding(f"{what}: memory beside the part in hand", {"at most": [peak]}, "MiB", peak, "MiB"),
        Finding("record of a film", {"on disk": [on_record]}, "bytes", on_record, "bytes"),
    ]


def _evidence() -> Finding:
    films = np.random.default_rng(0).integers(0, 256, (256, 224, 224), dtype=np.uint8)
    each = _seconds(lambda: [checksum(film) for film in films]) / len(films) * 1e6
    return Finding("checksum of a film of 224 px, in the reader's thread", {"in": [each]}, "us", each, "us")


def _parts(scale: Scale, ranks: int) -> Iterator[Part]:
    plan = _plan_of(scale, epoch=0)
    share = scale.batch // ranks
    for rank in range(ranks):
        facts = Facts(1, 0, 0, rank, ranks, rank * share, scale.batch, "0" * 64)
        slots = [plan.slots(batch, range(rank * share, (rank + 1) * share)) for batch in range(plan.batches)]
        batch = np.arange(plan.batches)
        shard, record = (
            np.stack(each).astype(np.int32) for each in zip(*((s.shard, s.record) for s in slots), strict=True)
        )
        pixels = (shard * np.uint32(2654435761) + record).astype(np.uint32)
        weight = np.stack([each.weight for each in slots])
        yield Part(facts, 0, batch + 1, batch.astype(np.int32), shard, record, weight, pixels)


def _plan_of(scale: Scale, epoch: int = 3) -> EpochPlan:
    records = (scale.films_per_shard,) * scale.shards
    return EpochPlan(records, seed=1, epoch=epoch, global_batch_size=scale.batch, window_shards=8)


def _manifest_of(scale: Scale) -> bytes:
    shards: list[dict[str, Any]] = [
        {
            "name": f"shard-{number:05d}.tfrecord",
            "bytes": scale.films_per_shard * 50_200,
            "records": scale.films_per_shard,
            "sha256": f"{number:064x}",
            "index_sha256": f"{number + scale.shards:064x}",
        }
        for number in range(scale.shards)
    ]
    tree = {
        "labels": "nih15",
        "classes": ["Effusion"],
        "split": "training",
        "films": scale.shards * scale.films_per_shard,
        "patients": 1,
        "image": {"height": 224, "width": 224, "encoding": "raw"},
        "counts": {},
        "shards": shards,
        "patients_file": {"sha256": "0" * 64, "key_fingerprint": "0" * 16},
        "made": {"program": "benchmark", "catalog": "nih", "seed": 0, "films_bad": 0, "films_missing": 0},
    }
    return json.dumps(tree, indent=2).encode()


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor, which a busy machine does not lengthen as it does the clock's."""
    began = time.process_time()
    call()
    return time.process_time() - began


def _mebibytes(call: Callable[[], object]) -> tuple[float, float]:
    """Held by what the call returns, and at most on the way."""
    tracemalloc.start()
    try:
        kept = call()
        held, peak = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return held / 2**20, peak / 2**20
