"""The course of a run, written down: rows of its history, which go with each checkpoint, and to the trackers."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

import trainer
from trainer.checkpoint.history import History
from trainer.errors import Stopped
from trainer.run import Run
from trainer.step import Measured
from trainer.trackers.delivery import News
from trainer.trackers.opening import Trackers, open_trackers
from trainer.trackers.tracker import Outcome, Pictures


class Course:
    """Written by rank 0; that of any other rank only averages the losses that it is told."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._history = _history(run) if run.ranks.topology.is_first else None
        self._trackers = _trackers(run, self._history)
        self._losses: list[float] = []
        self._epoch_losses: list[float] = []
        self._gradient_norm: float | None = None

    @contextmanager
    def tracking(self) -> Iterator[None]:
        """Until the run ends, one way or another: the trackers are told which."""
        outcome: Outcome = "failed"
        try:
            yield
            outcome = "finished"
        except Stopped:
            outcome = "stopped"
            raise
        finally:
            self._trackers.end(outcome)

    def first_films(self, pictures: Pictures) -> None:
        """Of the run's first step."""
        self._trackers.show(pictures)

    def tracked(self) -> News:
        """What became of the rows that the trackers were to be told."""
        return self._trackers.news()

    def step(self, measured: Measured) -> None:
        """After each step."""
        self._losses.append(measured.loss)
        self._epoch_losses.append(measured.loss)
        self._gradient_norm = measured.gradient_norm

    def end_steps(self, *, films_per_second: float, learning_rate: float) -> float:
        """Adds a row of the steps since the last such row; their mean loss."""
        loss = float(np.mean(self._losses))
        self._losses.clear()
        self._write(
            "step",
            loss=loss,
            films_per_second=films_per_second,
            learning_rate=learning_rate,
            gradient_norm=self._gradient_norm,
        )
        return loss

    def end_epoch(self, validation: Mapping[str, float], mean_auroc: float | None, loss: float | None) -> None:
        """Adds a row of an epoch, with its validation: AUROC by class, its mean over the findings, and the loss."""
        training_loss = float(np.mean(self._epoch_losses)) if self._epoch_losses else None
        self._epoch_losses.clear()
        self._write(
            "epoch",
            loss=training_loss,
            validation_auroc=mean_auroc,
            validation_loss=loss,
            validation_aurocs={name: value if math.isfinite(value) else None for name, value in validation.items()},
        )

    def content(self) -> bytes:
        """The course of the run so far."""
        return self._history.content() if self._history else b""

    def _write(self, kind: str, **values: Any) -> None:
        if self._history is not None:
            state = self._run.state
            row = {"kind": kind, "time": time.time(), "step": state.step, "epoch": state.epoch, **values}
            self._history.add(row)
            self._trackers.wake()


def _history(run: Run) -> History:
    return History.resumed(run.store, step=run.state.step, epoch=run.state.epoch)


def _trackers(run: Run, history: History | None) -> Trackers:
    """Of rank 0; the others have none."""
    if history is None:
        return Trackers()
    ranks, training = run.ranks.topology.world_size, run.training
    tags = {
        "cxr_train.version": trainer.__version__,
        "cxr_train.training_set": training.digest,
        "cxr_train.ranks": str(ranks),
        "cxr_train.films": str(training.manifest.films),
        "cxr_train.parameters": str(run.model.count_params()),
        "cxr_train.precision": run.model.dtype_policy.name,
    }
    return open_trackers(run.config, run.store, history.rows, tags)
