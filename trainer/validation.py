"""Validation at an epoch's end, and what it decides, alike on every rank: the best checkpoint, an early stop."""

import logging
import math
from dataclasses import replace

from trainer.checkpoint.manifest import Mark
from trainer.collectives import any_rank
from trainer.labels import label_set
from trainer.metrics.auroc import mean_over, per_class
from trainer.monitor import Monitor
from trainer.run import Run
from trainer.scoring import mean_loss

log = logging.getLogger("cxr_train")


def validate(run: Run, monitor: Monitor) -> None:
    """Scores the validation set where that is due, tells of the epoch, and notes whether its checkpoint is the best.

    Without a validation set the newest epoch's is.
    """
    improved = not run.validation
    if run.validation and _is_due(run):
        monitor.pulse.enter("validating")
        scores = run.scorer.scores(run.validation, run.config.data, monitor.progress)
        labels = run.validation.labels()
        aurocs = per_class(scores, labels)
        findings = [run.classes.index(each) for each in label_set(run.config.data.labels).findings]
        mean = mean_over(aurocs, findings)
        improved = judge(run, mean)
        monitor.epoch(dict(zip(run.classes, aurocs.tolist(), strict=True)), mean, mean_loss(scores, labels))
    else:
        monitor.epoch({}, None, None)
    if improved:
        run.state = replace(run.state, best=Mark(run.state.attempt, run.state.step).folder)


def judge(run: Run, mean_auroc: float) -> bool:
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


def _is_due(run: Run) -> bool:
    every = run.config.train.validate_every_epochs
    last = run.state.epoch == run.config.train.epochs
    return last or bool(every and run.state.epoch % every == 0)
