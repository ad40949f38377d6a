"""A training job without a network: the real plan, reader, ledger and checkpoints, on ranks that change and die."""

import shutil
from collections.abc import Callable, Generator
from contextlib import ExitStack
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
from trainer.config import CacheConfig, CheckpointConfig, Config, DataConfig, StoreConfig, TrainConfig
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan
from trainer.data.store.opening import open_store
from trainer.topology import Topology

BATCH_SIZE, EPOCHS, RANKS_A_NODE = 12, 2, 2

Death = Literal["before the record", "amid the record", "before the commit", "after the commit"]
"""When, at its last checkpoint, a job is killed; a signal ends it after the commit."""

Reader = Callable[..., Generator[Batch]]


@dataclass(frozen=True)
class Start:
    """One start of the job: so many ranks, two a node, for at most ``steps``, then it dies.

    Nodes that ``lose`` their cache do so before the start.
    """

    ranks: int = 1
    steps: int = 1000
    checkpoint_every: int = 2
    death: Death = "after the commit"
    lose: frozenset[int] = frozenset()


class Job:
    """A job on the films at ``training``; ``reader`` stands for trainer.data.pipeline.training_batches.

    Both places are folders or URLs; ``caches`` gets a folder a node, for films that are remote, with room for
    ``cache_bytes``.
    """

    def __init__(
        self,
        training: str,
        directory: str,
        reader: Reader = training_batches,
        *,
        store: StoreConfig = StoreConfig(),  # noqa: B008 - frozen
        caches: Path = Path("/nowhere"),
        cache_bytes: int = 2**30,
    ) -> None:
        self.config = Config(
            data=DataConfig(training=training),
            store=store,
            checkpoint=CheckpointConfig(directory=directory),
            train=TrainConfig(global_batch_size=BATCH_SIZE, epochs=EPOCHS),
        )
        self._run, self._reader = open_store(directory, store, "checkpoint.directory"), reader
        self._caches, self._cache_bytes = caches, cache_bytes

    def start(self, start: Start) -> None:
        """Goes on from the newest checkpoint until the last epoch's end, or the start's."""
        for node in start.lose:
            shutil.rmtree(self._cache(node), ignore_errors=True)
        with ExitStack() as opened:
            films = [self._films(rank) for rank in range(start.ranks)]
            for each in films:
                opened.callback(each.close)
            self._train(start, films, claim(self._run, _OWNER, lease_seconds=60.0))

    def _train(self, start: Start, films: list[FilmSet], attempt: Attempt) -> None:
        state = self._resumed(films[0], attempt.number)
        ledgers = [open_ledger(self.config, _facts(state, Topology(rank, start.ranks))) for rank in range(start.ranks)]
        first, last = state.step, state.step + start.steps
        while state.epoch < EPOCHS:
            plan = plan_of(films[0], state.epoch)
            readers = [self._batches(each, plan, state, rank, ledgers) for rank, each in enumerate(films)]
            for number, _ in enumerate(zip(*readers, strict=True), start=state.batch):
                state = replace(state, step=state.step + 1, batch=number + 1)
                for ledger in ledgers:
                    ledger.used(step=state.step, epoch=state.epoch, batch=number)
                if state.step == last:
                    break
                if state.step % start.checkpoint_every == 0 and number + 1 < plan.batches:
                    self._save(state, attempt, ledgers)
            for reader in readers:
                reader.close()
            if state.batch == plan.batches:
                state = replace(state, epoch=state.epoch + 1, batch=0)
            if state.step == last or state.epoch == EPOCHS:
                break
            self._save(state, attempt, ledgers)
        # A job that is started again after its end takes no step, and saves nothing.
        if state.step > first:
            self._save(state, attempt, ledgers, start.death)

    def _films(self, rank: int) -> FilmSet:
        cache = CacheConfig(directory=str(self._cache(rank // RANKS_A_NODE)), gibibytes=self._cache_bytes / 2**30)
        store = open_store(self.config.data.training, self.config.store, "data.training")
        return FilmSet.open(store, cache, ranks_on_node=RANKS_A_NODE)

    def _cache(self, node: int) -> Path:
        return self._caches / f"node-{node}"

    def audit(self, compare: int = 1000) -> Report:
        """What cxr-train audit finds."""
        return audit(self.config, compare=compare, rng=np.random.default_rng(0))

    def _batches(
        self, films: FilmSet, plan: EpochPlan, state: State, rank: int, ledgers: list[Ledger]
    ) -> Generator[Batch]:
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
