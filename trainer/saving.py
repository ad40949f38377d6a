"""Saves a run: every rank calls the same, rank 0 writes. The loop pays for a copy and a proof, not for the store."""

import logging
from typing import NoReturn

from trainer.checkpoint.writer import News
from trainer.collectives import any_rank, barrier
from trainer.errors import Stopped, StoreDown
from trainer.monitor import Monitor
from trainer.run import Run

log = logging.getLogger("cxr_train")


def save(run: Run, monitor: Monitor, *, patient: bool = False, last: bool = False) -> None:
    """Takes a checkpoint, once it is proven that the ranks' weights are equal, and has it written.

    With ``data.audit``, the films up to here come first: a checkpoint without them could never be audited. If the
    store does not take them there is none, and the next one tries again; the last of a run raises StoreDown.
    """
    monitor.pulse.enter("saving")
    if run.ledger and any_rank(run.ranks, not run.ledger.write(patient=patient or last)):
        if run.writer:
            monitor.checkpoints(News(failures=1))
        error = StoreDown("data.audit", run.store.where, "takes no record of films", "start again")
        if last:
            raise error
        log.warning("no checkpoint of step %d: %s", run.state.step, error)
        return
    snapshot = run.snapshot()
    run.refuse_unequal_weights(snapshot.model)
    if run.writer:
        run.writer.save(snapshot, monitor.course.content())
        hear(run, monitor)


def hear(run: Run, monitor: Monitor) -> None:
    """Tells what has become of the checkpoints; raises what no waiting will mend, never that a store is down."""
    if run.writer and run.lease:
        news = run.writer.news()
        monitor.checkpoints(news)
        if refused := news.refused or run.lease.lost:
            raise refused


def finish(run: Run, monitor: Monitor) -> None:
    """Nobody goes on before all is committed: a launcher may end the other ranks once one has left.

    Raises StoreDown, naming what is not saved, if a store that is down has not come back in time.
    """
    monitor.pulse.enter("saving")
    if run.writer:
        try:
            run.writer.finish()
        finally:
            hear(run, monitor)
    barrier(run.ranks)
    monitor.ended()


def leave(run: Run, monitor: Monitor) -> NoReturn:
    """Saves, waits until that is committed on behalf of all ranks, and raises Stopped."""
    save(run, monitor, last=True)
    finish(run, monitor)
    raise Stopped(
        "signal", f"step {run.state.step}", "was the last one, its checkpoint is committed", "start again to go on"
    )
