"""A training job without a network: the real plan, reader, ledger and checkpoints, on ranks that change and die."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from trainer.audit.examine import Report, audit
from trainer.audit.ledger import Ledger, open_ledger
from trainer.audit.record import Facts
from trainer.checkpoint.attempt import Attempt, claim
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.reading import newest
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan
from trainer.data.store.folder import FolderStore
from trainer.topology import Topology

BATCH_SIZE, EPOCHS = 12, 2

Death = Literal["before the record", "amid the record", "before the commit", "after the commit"]
"""When, at its last checkpoint, a job is killed; a signal ends it after the commit."""

Batches = Iterator[Batch]
Reader = Callable[..., Batches]


@dataclass(frozen=True)
class Start:
    """One start of the job: so many ranks, for at most ``steps``, then it dies."""

    ranks: int = 1
    steps: int = 1000
    checkpoint_every: int = 2
    death: Death = "after the commit"


class Job:
    """A job on the films in ``training``; ``reader`` stands for trainer.data.pipeline.training_batches."""

    def __init__(self, training: Path, directory: Path, reader: Reader = training_batches) -> None:
        sections = {"data": {"training": str(training)}, "checkpoint": {"directory": str(directory)}}
        self.config = Config.model_validate(sections | {"train": {"global_batch_size": BATCH_SIZE, "epochs": EPOCHS}})
        self._run, self._reader = FolderStore(directory, "checkpoint.directory"), reader

    def start(self, start: Start) -> None:
        """Goes on from the newest checkpoint until the last epoch's end, or the start's."""
        films = FilmSet.open(FolderStore(Path(self.config.data.training), "data.training"))
        attempt = claim(self._run, _OWNER, lease_seconds=60.0)
        state = self._resumed(films, attempt.number)
        ledgers = [open_ledger(self.config, _facts(state, Topology(rank, start.ranks))) for rank in range(start.ranks)]
        first, last = state.step, state.step + start.steps
        while state.epoch < EPOCHS:
            plan = plan_of(films, state.epoch)
            readers = [self._batches(films, plan, state, rank, ledgers) for rank in range(start.ranks)]
            for number, _ in enumerate(zip(*readers, strict=True), start=state.batch):
                state = replace(state, step=state.step + 1, batch=number + 1)
                for ledger in ledgers:
                    ledger.used(step=state.step, epoch=state.epoch, batch=number)
                if state.step == last:
                    break
                if state.step % start.checkpoint_every == 0 and number + 1 < plan.batches:
                    self._save(state, attempt, ledgers)
            if state.batch == plan.batches:
                state = replace(state, epoch=state.epoch + 1, batch=0)
            if state.step == last or state.epoch == EPOCHS:
                break
            self._save(state, attempt, ledgers)
        # A job that is started again after its end takes no step, and saves nothing.
        if state.step > first:
            self._save(state, attempt, ledgers, start.death)

    def audit(self, compare: int = 1000) -> Report:
        """What cxr-train audit finds."""
        return audit(self.config, compare=compare, rng=np.random.default_rng(0))

    def _batches(
        self, films: FilmSet, plan: EpochPlan, state: State, rank: int, ledgers: list[Ledger]
    ) -> Iterator[Batch]:
        slots, told = Topology(rank, len(ledgers)).slots(BATCH_SIZE), ledgers[rank].delivered
        return self._reader(films, plan, slots, first_batch=state.batch, config=self.config.data, delivered=told)

    def _save(self, state: State, attempt: Attempt, ledgers: list[Ledger], death: Death = "after the commit") -> None:
        written = {"before the record": 0, "amid the record": len(ledgers) // 2}.get(death, len(ledgers))
        for ledger in ledgers[:written]:
            assert ledger.write()
        if death == "after the commit":
            commit(self._run, Snapshot(_SMALL, _SMALL, state), b"", attempt)

    def _resumed(self, films: FilmSet, attempt: int) -> State:
        found, _ = newest(self._run)
        if found is None:
            return State(attempt=attempt, run={"training_set": films.digest})
        return replace(found.snapshot.state, attempt=attempt, parent=found.mark.attempt)


_OWNER = Owner("films/job", "films/release", "node", Process("another machine", 1, 1))
_SMALL = {"a": np.zeros(1, np.float32)}


def plan_of(films: FilmSet, epoch: int) -> EpochPlan:
    """The plan of an epoch of the job."""
    return EpochPlan(films.records_per_shard, seed=7, epoch=epoch, global_batch_size=BATCH_SIZE, window_shards=2)


def _facts(state: State, topology: Topology) -> Facts:
    return Facts(
        attempt=state.attempt,
        parent=state.parent,
        resumed_step=state.step,
        rank=topology.rank,
        world_size=topology.world_size,
        first_slot=topology.slots(BATCH_SIZE).start,
        global_batch_size=BATCH_SIZE,
        training_set=state.run["training_set"],
    )
