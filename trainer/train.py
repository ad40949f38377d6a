"""The training loop, read top to bottom."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tensorflow as tf

from trainer import runtime
from trainer.collectives import refuse_lost_peer
from trainer.config import Config
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan, random_key
from trainer.monitor import Monitor
from trainer.network import model_arrays
from trainer.run import Run
from trainer.saving import finish, hear, leave, save
from trainer.scoring import Watch, unwatched
from trainer.signals import Asked, asked_to_stop
from trainer.step import Draw, Measured, as_augmented, read
from trainer.telemetry.step_timer import Phases
from trainer.topology import Topology
from trainer.trackers.opening import refuse_wrong_addresses
from trainer.validation import validate

log = logging.getLogger("cxr_train")


@dataclass(frozen=True)
class Trained:
    """What a finished run says."""

    directory: str
    steps: int
    films_per_second: float
    best_auroc: float | None


def train(config: Config, topology: Topology, watch: Watch = unwatched) -> Trained:
    """Trains until the last epoch, an early stop, or a signal.

    Raises Stopped after SIGTERM or SIGINT, once the checkpoint is committed; SelfTestError if ranks differ;
    UsageError or DataError for what is wrong from the start; PeerLost if another rank is gone; StoreDown if at the end
    the last checkpoints could not be saved.
    """
    refuse_wrong_addresses(config)
    with asked_to_stop() as asked:
        run = Run(config, runtime.start(config, topology), asked.pause)
        try:
            monitor = Monitor(run, watch)
            with monitor.course.tracking():
                while not _is_over(run):
                    if _train_epoch(run, monitor, asked):
                        leave(run, monitor)
                    _close_epoch(run, monitor)
                finish(run, monitor)
        except tf.errors.OpError as error:
            refuse_lost_peer(error, topology)
            raise
        finally:
            run.close()
    return Trained(run.store.where, run.state.step, monitor.films_per_second(), run.state.best_auroc)


def _is_over(run: Run) -> bool:
    return run.state.epoch >= run.config.train.epochs or run.state.stopped_early


def _train_epoch(run: Run, monitor: Monitor, asked: Asked) -> bool:
    """The rest of the epoch the state is in; True if the ranks have agreed to stop."""
    epoch, first = run.state.epoch, run.state.batch
    plan = run.plan(epoch)
    run.learner.enter(epoch)
    ledger = run.ledger
    batches = training_batches(
        run.training,
        plan,
        run.slots,
        first_batch=first,
        config=run.config.data,
        delivered=ledger.delivered if ledger else None,
    )
    monitor.timer.start()
    for number in range(first, plan.batches):
        with monitor.waiting_for_films():
            batch = next(batches)
        draw = _draw(run, epoch, number)
        if run.state.step == 0:
            monitor.course.first_films(partial(as_augmented, batch.images, draw, run.config))
        measured = _step(run, monitor, batch, draw, stop=asked.now)
        run.state = replace(run.state, step=run.state.step + 1, batch=number + 1)
        if ledger:
            ledger.used(step=run.state.step, epoch=epoch, batch=number)
        if run.state.step == 1:
            weights = run.refuse_unequal_weights(model_arrays(run.model))
            if run.ranks.topology.world_size > 1:
                log.info("weights are equal on all ranks, bit by bit: %s", weights)
        _tell(run, monitor, measured, plan, number, batch)
        if measured.stop:
            return True
        every = run.config.checkpoint.every_steps
        # The epoch's end saves by itself.
        if every and run.state.step % every == 0 and number + 1 < plan.batches:
            save(run, monitor)
            monitor.timer.start()
    return False


def _step(run: Run, monitor: Monitor, batch: Batch, draw: Draw, *, stop: bool) -> Measured:
    """One step, now and then in parts that are timed apart."""
    every = run.config.telemetry.phase_sample_steps
    rate = run.learning_rate()
    if not every or (run.state.step + 1) % every:
        return read(run.learner.step(batch, draw, rate, stop))
    began = time.perf_counter()
    ends = []
    for part in run.learner.step.in_parts(batch, draw, rate, stop):
        measured = part
        ends.append(time.perf_counter())
    result = read(measured)
    computed, averaged, _ = ends
    monitor.phases(Phases(computed - began, averaged - computed, time.perf_counter() - averaged))
    return result


def _draw(run: Run, epoch: int, batch: int) -> Draw:
    seed = run.config.train.seed
    return Draw(
        tf.constant(random_key(seed, epoch, batch, "augment")),
        tf.constant(random_key(seed, epoch, batch, "dropout")),
        tf.constant(run.slots.start, tf.int32),
    )


def _tell(run: Run, monitor: Monitor, measured: Measured, plan: EpochPlan, number: int, batch: Batch) -> None:
    whole = run.config.train.global_batch_size
    films = min(whole, plan.films - number * whole)
    own = int(np.count_nonzero(batch.weights.numpy()))
    monitor.step(measured, monitor.timer.step_done(films), own)
    hear(run, monitor)


def _close_epoch(run: Run, monitor: Monitor) -> None:
    run.state = replace(run.state, epoch=run.state.epoch + 1, batch=0)
    validate(run, monitor)
    save(run, monitor, patient=True, last=_is_over(run))
