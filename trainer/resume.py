"""Where a run goes on from: the newest good checkpoint in its store, if the run that wrote it is the same."""

import logging

from trainer.checkpoint.reading import committed, newest
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.config import CheckpointConfig
from trainer.data.store.store import Store
from trainer.errors import DataError, UsageError

log = logging.getLogger("cxr_train")

# A run goes on only with what decides the order of its films and the shape of its weights.
_FIXED = ("training_set", "global_batch_size", "seed", "shuffle_window_shards", "model")


def to_go_on_from(store: Store, config: CheckpointConfig, fresh: State) -> Snapshot | None:
    """The newest good checkpoint; None if there is none at all, so that the run begins with ``fresh``.

    Raises UsageError where ``checkpoint.resume`` forbids it, DataError where it is of another run, or all are damaged.
    """
    found, skipped = newest(store)
    for line in skipped:
        log.warning("skipped a checkpoint: %s", line)
    if found is None:
        _refuse_to_start_over(store)
        return None
    if config.resume == "never":
        rule = f"but {store.where} holds checkpoints"
        raise UsageError("checkpoint.resume", "never", rule, "choose another directory")
    state = found.snapshot.state
    _refuse_other_run(store, state, fresh)
    log.info("resumed from step %d (epoch %d, batch %d)", state.step, state.epoch, state.batch)
    return found.snapshot


def _refuse_to_start_over(store: Store) -> None:
    """A new start among nothing but damaged checkpoints would delete what may still be mended."""
    if marks := committed(store.entries()):
        rule = f"holds {len(marks)} checkpoints, and none of them is what its manifest says"
        raise DataError(store.key, store.where, rule, "restore one, or choose another directory")


def _refuse_other_run(store: Store, found: State, fresh: State) -> None:
    for name in _FIXED:
        if found.run.get(name) != fresh.run[name]:
            rule = f"was begun with another {name} ({found.run.get(name)!r}, now {fresh.run[name]!r})"
            raise DataError(store.key, store.where, rule, "go on with the same, or choose another directory")
