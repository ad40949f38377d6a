"""What a training run holds once it is opened: films, network, optimizer, step, and the state it goes on from."""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import trainer
from trainer.audit.ledger import Ledger, open_ledger
from trainer.audit.record import Facts
from trainer.checkpoint.attempt import claim
from trainer.checkpoint.lease import Lease
from trainer.checkpoint.owner import Owner
from trainer.checkpoint.snapshot import Arrays, Snapshot, State
from trainer.checkpoint.writer import Writer
from trainer.collectives import Collectives, same_everywhere, self_test, weight_hash
from trainer.config import Config, ModelConfig
from trainer.data.cache.tally import Tally
from trainer.data.film_set import FilmSet
from trainer.data.plan import EpochPlan
from trainer.data.store.opening import open_store
from trainer.errors import CxrError, UsageError
from trainer.films import open_films, refuse_misfit
from trainer.learner import Learner
from trainer.model.weights.weights import Weights
from trainer.network import begin_from, first_weights, settled
from trainer.optimizer import learning_rate
from trainer.resume import to_go_on_from
from trainer.runtime import environment
from trainer.scoring import Scorer

log = logging.getLogger("cxr_train")

# A writer that asks again by itself need not hang in one call while the loop goes on without it.
_WRITER_RETRY_SECONDS = 10.0


class Run:
    """An opened run. ``state`` is replaced as it moves; everything else stays.

    Raises (on opening) UsageError, DataError or SelfTestError: nothing is trained by ranks that disagree.

    Args:
        config: the whole tree.
        ranks: this rank among the others.
        pause: waits so many seconds for another job to leave the run; what it raises ends the wait.
    """

    def __init__(self, config: Config, ranks: Collectives, pause: Callable[[float], object] = time.sleep) -> None:
        self._weights, config = _settled(config, ranks)
        self.config, self.ranks = config, ranks
        self.slots = slots_of(config, ranks)
        self.tally = Tally()
        self.training = open_films(config, "training", ranks.topology, self.tally.add)
        self.validation = (
            open_films(config, "validation", ranks.topology, self.tally.add) if config.data.validation else None
        )
        if self.validation:
            refuse_misfit(self.training, self.validation)
        self_test(ranks)
        same_everywhere(ranks, "program version", trainer.__version__.encode())
        same_everywhere(ranks, "configuration", config.model_dump_json().encode())
        for each in filter(None, (self.training, self.validation)):
            same_everywhere(ranks, f"{each.manifest.split} set", each.digest.encode())
        if ranks.topology.world_size > 1:
            log.info("self-test: %d ranks average, on the same program, settings and films", ranks.topology.world_size)
        self.classes = self.training.manifest.classes
        self.batches = self.plan(0).batches
        """Of each epoch."""
        self.learner = Learner(config, self.training, ranks, self.batches)
        self.model = self.learner.model
        self.scorer = Scorer(self.model, ranks, config.model, batch_size=config.evaluate.batch_size)
        self.store = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
        self.writer: Writer | None = None
        self.lease: Lease | None = None
        self.state = self._resume(pause)
        self._weights = None
        self.ledger = _ledger(config, ranks, self.state, self.slots) if config.data.audit else None

    def plan(self, epoch: int) -> EpochPlan:
        """Which film fills which slot in that epoch."""
        return EpochPlan(
            self.training.records_per_shard,
            seed=self.config.train.seed,
            epoch=epoch,
            global_batch_size=self.config.train.global_batch_size,
            window_shards=self.config.data.shuffle_window_shards,
        )

    @property
    def steps(self) -> int:
        """Updates that the whole run takes."""
        return self.config.train.epochs * self.batches

    def learning_rate(self) -> float:
        """Of the next update."""
        return learning_rate(
            self.config.optimizer,
            step=self.state.step,
            steps=self.steps,
            epoch=self.state.epoch,
            global_batch_size=self.config.train.global_batch_size,
        )

    def snapshot(self) -> Snapshot:
        """Copies of everything that training changes, out of the device."""
        return self.learner.snapshot(self.state)

    def refuse_unequal_weights(self, model: Arrays) -> str:
        """Raises SelfTestError, on every rank, if a rank's weights differ in any bit; else their hash, in short."""
        digest = weight_hash(model.values())
        same_everywhere(self.ranks, "weights", digest)
        return digest.hex()[:16]

    def close(self) -> None:
        """Reads no more films, and lets go of the run's directory, so that another job need not wait."""
        for each in filter(None, (self.training, self.validation)):
            each.close()
        if self.writer:
            self.writer.close()
        if self.lease:
            with suppress(CxrError):
                # What hinders it has been told already, and the lease runs out by itself.
                self.lease.end()

    def _resume(self, pause: Callable[[float], object]) -> State:
        """Claims the run's directory (rank 0), and sets every rank to the newest good checkpoint or rank 0's start."""
        state = State(run=_facts(self.config, self.training, self.ranks))
        if self.ranks.topology.is_first:
            attempt = self._claim(pause)
            try:
                state = replace(self._restored(state), attempt=attempt)
            except BaseException:
                self.close()
                raise
        state = State.from_json(self.ranks.broadcast_bytes(state.to_json()))
        self.learner.enter(state.epoch)
        self.learner.broadcast()
        return state

    def _claim(self, pause: Callable[[float], object]) -> int:
        """Becomes the run's one writer; the attempt's number."""
        saved = self.config.checkpoint
        retry_seconds = min(self.config.store.retry_seconds, _WRITER_RETRY_SECONDS)
        impatient = self.config.store.model_copy(update={"retry_seconds": retry_seconds})
        store = open_store(saved.directory, impatient, "checkpoint.directory")
        attempt = claim(store, Owner.of(os.environ), saved.lease_seconds, pause=pause)
        self.lease = Lease(attempt)
        self.writer = Writer(store, attempt, saved)
        return attempt.number

    def _restored(self, fresh: State) -> State:
        """Sets model and optimizer to the newest good checkpoint, if there is one; where the run stands."""
        found = to_go_on_from(self.store, self.config.checkpoint, fresh)
        if found is None:
            if self._weights:
                begin_from(self.model, self._weights, tuple(self.classes), self.config.model.weights)
            return fresh
        self.learner.enter(found.state.epoch)
        self.learner.restore(found)
        return replace(found.state, run=fresh.run, parent=found.state.attempt)


def slots_of(config: Config, ranks: Collectives) -> range:
    """This rank's slots of the global batch; raises UsageError if ranks or accumulation do not divide it."""
    slots = ranks.topology.slots(config.train.global_batch_size)
    if len(slots) % config.train.accumulation_steps:
        raise UsageError(
            "train.accumulation_steps",
            config.train.accumulation_steps,
            f"does not divide a rank's {len(slots)} films",
            "choose a divisor of train.global_batch_size over the ranks",
        )
    return slots


def _settled(config: Config, ranks: Collectives) -> tuple[Weights | None, Config]:
    """The weights to begin from, on rank 0, and on all ranks the settings that they leave open."""
    weights = first_weights(config) if ranks.topology.is_first else None
    model = settled(config.model, weights) if ranks.topology.is_first else config.model
    received = ranks.broadcast_bytes(model.model_dump_json().encode())
    return weights, config.model_copy(update={"model": ModelConfig.model_validate_json(received)})


def _ledger(config: Config, ranks: Collectives, state: State, slots: range) -> Ledger:
    """Of an attempt that begins in ``state``."""
    facts = Facts(
        attempt=state.attempt,
        parent=state.parent,
        resumed_step=state.step,
        rank=ranks.topology.rank,
        world_size=ranks.topology.world_size,
        first_slot=slots.start,
        global_batch_size=config.train.global_batch_size,
        training_set=state.run["training_set"],
    )
    return open_ledger(config, facts)


def _facts(config: Config, training: FilmSet, ranks: Collectives) -> dict[str, Any]:
    return {
        "program_version": trainer.__version__,
        "config": config.model_dump(mode="json"),
        "classes": list(training.manifest.classes),
        "image_size": training.manifest.image.height,
        "training_set": training.digest,
        "global_batch_size": config.train.global_batch_size,
        "seed": config.train.seed,
        "shuffle_window_shards": config.data.shuffle_window_shards,
        "environment": environment(config, ranks.topology),
        "model": config.model.model_dump(mode="json", exclude={"weights"}),
    }
