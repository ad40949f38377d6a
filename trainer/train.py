"""The training loop, read top to bottom."""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from trainer import runtime
from trainer.collectives import any_rank, barrier, refuse_lost_peer
from trainer.config import Config
from trainer.data.pipeline import Batch, training_batches
from trainer.data.plan import EpochPlan, random_key
from trainer.errors import DataError, Stopped, StoreDown
from trainer.labels import label_set
from trainer.metrics.auroc import mean_over, per_class
from trainer.monitor import Monitor
from trainer.run import Run, model_arrays
from trainer.scoring import Watch, mean_loss, unwatched
from trainer.signals import Asked, asked_to_stop
from trainer.step import Draw, Measured, read
from trainer.telemetry.step_timer import Phases
from trainer.topology import Topology

log = logging.getLogger("cxr_train")


@dataclass(frozen=True)
class Trained:
    """What a finished run says."""

    directory: Path
    steps: int
    films_per_second: float
    best_auroc: float | None


def train(config: Config, topology: Topology, watch: Watch = unwatched) -> Trained:
    """Trains until the last epoch, an early stop, or a signal.

    Raises Stopped after SIGTERM or SIGINT, once the checkpoint is committed; SelfTestError if ranks differ;
    UsageError or DataError for what is wrong from the start; PeerLost if another rank is gone.
    """
    with asked_to_stop() as asked:
        run = Run(config, runtime.start(config, topology))
        monitor = Monitor(run, watch)
        try:
            while not _is_over(run):
                if _train_epoch(run, monitor, asked):
                    _leave(run, monitor)
                _close_epoch(run, monitor)
        except tf.errors.OpError as error:
            refuse_lost_peer(error, topology)
            raise
        _wait_for_checkpoint(run, monitor)
        monitor.ended()
    return Trained(run.directory, run.state.step, monitor.films_per_second(), run.state.best_auroc)


def _is_over(run: Run) -> bool:
    return run.state.epoch >= run.config.train.epochs or run.state.stopped_early


def _train_epoch(run: Run, monitor: Monitor, asked: Asked) -> bool:
    """The rest of the epoch the state is in; True if the ranks have agreed to stop."""
    epoch, first = run.state.epoch, run.state.batch
    plan = run.plan(epoch)
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
            _save(run, monitor)
            monitor.timer.start()
    return False


def _step(run: Run, monitor: Monitor, batch: Batch, draw: Draw, *, stop: bool) -> Measured:
    """One step, now and then in parts that are timed apart."""
    every = run.config.telemetry.phase_sample_steps
    rate = run.learning_rate()
    if not every or (run.state.step + 1) % every:
        return read(run.step(batch, draw, rate, stop))
    began = time.perf_counter()
    ends = []
    for part in run.step.in_parts(batch, draw, rate, stop):
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
    if run.writer:
        with _counting_failures(monitor):
            monitor.commit(run.writer.finished())


def _close_epoch(run: Run, monitor: Monitor) -> None:
    """Validates, decides on the best checkpoint and an early stop, and saves. Every rank computes the same."""
    run.state = replace(run.state, epoch=run.state.epoch + 1, batch=0)
    improved = False
    if run.validation and _is_due(run):
        monitor.pulse.enter("validating")
        scores = run.scorer.scores(run.validation, run.config.data, monitor.progress)
        labels = run.validation.labels()
        aurocs = per_class(scores, labels)
        findings = [run.classes.index(each) for each in label_set(run.config.data.labels).findings]
        mean = mean_over(aurocs, findings)
        improved = _judge(run, mean)
        monitor.epoch(dict(zip(run.classes, aurocs.tolist(), strict=True)), mean, mean_loss(scores, labels))
    else:
        monitor.epoch({}, None, None)
    _save(run, monitor, best=improved or not run.validation, patient=True)


def _is_due(run: Run) -> bool:
    every = run.config.train.validate_every_epochs
    last = run.state.epoch == run.config.train.epochs
    return last or bool(every and run.state.epoch % every == 0)


def _judge(run: Run, mean_auroc: float) -> bool:
    """Keeps the best score and the count of validations since; True if this is the best so far."""
    stopping, best = run.config.train.early_stopping, run.state.best_auroc
    known = not math.isnan(mean_auroc)
    improved = known and (best is None or mean_auroc > best + stopping.minimum_improvement)
    waited = 0 if improved else run.state.validations_without_improvement + 1
    stop = any_rank(run.ranks, bool(stopping.patience_validations) and waited >= stopping.patience_validations)
    run.state = replace(
        run.state,
        best_auroc=mean_auroc if improved else best,
        validations_without_improvement=waited,
        stopped_early=stop,
    )
    if stop:
        known_best = "that is known" if best is None else f"than {best:.3f}"
        log.info("stopped early: no better mean AUROC %s in %d validations", known_best, waited)
    return improved


def _save(run: Run, monitor: Monitor, *, best: bool = False, patient: bool = False, leaving: bool = False) -> None:
    """Begins a checkpoint; the loop pays for the copy and for proving that the ranks' weights are equal.

    With ``data.audit``, the films up to here come first: a checkpoint without them could never be audited. If the
    store does not take them there is none, and the next one tries again; the last of a run raises StoreDown.
    """
    monitor.pulse.enter("saving")
    if run.ledger and any_rank(run.ranks, not run.ledger.write(patient=patient)):
        monitor.commit_failed()
        error = StoreDown("data.audit", run.config.checkpoint.directory, "takes no record of films", "start again")
        if leaving or _is_over(run):
            raise error
        log.warning("no checkpoint of step %d: %s", run.state.step, error)
        return
    snapshot = run.snapshot()
    run.refuse_unequal_weights(snapshot.model)
    if run.writer:
        with _counting_failures(monitor):
            monitor.commit(run.writer.start(snapshot, best=best))


def _wait_for_checkpoint(run: Run, monitor: Monitor) -> None:
    """Nobody goes on before the checkpoint is committed: a launcher may end the other ranks once one has left."""
    if run.writer:
        with _counting_failures(monitor):
            monitor.commit(run.writer.wait())
    barrier(run.ranks)


@contextmanager
def _counting_failures(monitor: Monitor) -> Iterator[None]:
    try:
        yield
    except DataError:
        monitor.commit_failed()
        raise


def _leave(run: Run, monitor: Monitor) -> None:
    """Saves, waits until that is committed on behalf of all ranks, and raises Stopped."""
    _save(run, monitor, patient=True, leaving=True)
    _wait_for_checkpoint(run, monitor)
    monitor.ended()
    raise Stopped(
        "signal", f"step {run.state.step}", "was the last one, its checkpoint is committed", "start again to go on"
    )
