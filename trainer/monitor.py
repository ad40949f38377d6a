"""What a run tells of itself while it trains: metrics, log lines, progress, and the course that it takes."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from trainer.checkpoint.writer import News
from trainer.course import Course
from trainer.data.cache.tally import Event
from trainer.run import Run
from trainer.scoring import Watch, unwatched
from trainer.step import Measured
from trainer.telemetry import catalog
from trainer.telemetry.beat import Pulse
from trainer.telemetry.exporter import Recorder
from trainer.telemetry.logs import duration, progress_line
from trainer.telemetry.step_timer import Phases, StepTime, StepTimer

log = logging.getLogger("cxr_train")


_CACHE: dict[Event, catalog.Metric] = {
    "hits": catalog.CACHE_HITS,
    "misses": catalog.CACHE_MISSES,
    "fetched_bytes": catalog.CACHE_FETCHED_BYTES,
    "direct_films": catalog.CACHE_DIRECT_FILMS,
    "corrupt": catalog.CACHE_CORRUPT,
    "evictions": catalog.CACHE_EVICTIONS,
    "failures": catalog.CACHE_FAILURES,
    "wait_seconds": catalog.CACHE_WAIT_SECONDS,
}


class Monitor:
    """Told of every event of the loop; every rank has one, and rank 0's also speaks for the job."""

    def __init__(self, run: Run, watch: Watch = unwatched) -> None:
        self._run, self._watch = run, watch
        self._began = time.monotonic()
        self.timer = StepTimer(window_steps=run.config.train.log_every_steps)
        topology = run.ranks.topology
        self._recorder = Recorder(topology.rank)
        self.pulse = Pulse(os.environ)
        self.course = Course(run)
        self._auroc: float | None = None
        self._traced = False
        self._recorder.set(catalog.STEPS, run.steps)
        self.pulse.tell(step=run.state.step, steps=run.steps, epoch=run.state.epoch + 1)
        self._recorder.set(catalog.CHECKPOINT_STEP, run.state.step)
        self._recorder.set(catalog.CHECKPOINT_INTERVAL_STEPS, self._checkpoint_interval())
        self._recorder.set(catalog.TRAINING, 1)
        self.progress()
        self._recorder.set(catalog.WORLD_SIZE, topology.world_size)
        wanted = run.config.collectives.wanted_ranks or topology.world_size
        self._recorder.set(catalog.WORLD_SIZE_WANTED, wanted)
        self._recorder.add(catalog.RESTARTS, run.state.attempt - 1)
        for metric in _CACHE.values():
            # Nothing so far is a number too: what has never been told has no rate.
            self._recorder.add(metric, 0)
        log.info("%s", _opening(run))

    @contextmanager
    def waiting_for_films(self) -> Iterator[None]:
        """The part of a step before its films are there."""
        self.pulse.enter("films")
        with self.timer.waiting():
            yield
        self.pulse.enter("step")

    def step(self, measured: Measured, took: StepTime, own_films: int) -> None:
        """After each step; ``own_films`` are this rank's, padding left out."""
        state, record = self._run.state, self._recorder
        self._watch(state.step, self._run.steps)
        self.pulse.tell(step=state.step, epoch=state.epoch + 1)
        self.course.step(measured)
        record.add(catalog.INPUT_WAIT_SECONDS, took.input_wait_seconds)
        record.observe(catalog.STEP_SECONDS, took.seconds)
        record.add(catalog.FILMS, own_films)
        record.set(catalog.LOSS, measured.loss)
        record.set(catalog.GRADIENT_NORM, measured.gradient_norm)
        record.set(catalog.STEP, state.step)
        record.set(catalog.EPOCH, state.epoch + 1)
        record.set(catalog.LAST_STEP_TIMESTAMP, time.time())
        self.progress()
        record.set(catalog.LEARNING_RATE, self._run.learning_rate())
        if measured.skipped:
            record.add(catalog.SKIPPED_STEPS)
            log.warning("step %d skipped: the averaged gradient is not finite", state.step)
        if state.step == 1:
            log.info("first step done %s after the start of training", duration(time.monotonic() - self._began))
        if state.step % self._run.config.train.log_every_steps == 0:
            self._line()

    def progress(self, done: int = 0, total: int = 0) -> None:
        """After whatever shows that the run is alive: a step, or a batch of validation."""
        self._recorder.set(catalog.LAST_PROGRESS_TIMESTAMP, time.time())
        for event, amount in self._run.tally.taken().items():
            self._recorder.add(_CACHE[event], amount)
        tracked = self.course.tracked()
        self._recorder.add(catalog.TRACKER_FAILURES, tracked.failures)
        self._recorder.set(catalog.TRACKER_ROWS_PENDING, tracked.pending)
        if total:
            self.pulse.scored(done, total)

    def phases(self, phases: Phases) -> None:
        """After a step that was run in parts. The first is not told of: nearly all of it was setting up the graphs."""
        if not self._traced:
            self._traced = True
            return
        self.timer.phases = phases
        record = self._recorder
        record.add(catalog.SAMPLED_STEPS)
        record.add(catalog.SAMPLED_COMPUTE_SECONDS, phases.compute_seconds)
        record.add(catalog.SAMPLED_ALLREDUCE_WAIT_SECONDS, phases.allreduce_seconds)
        record.set(catalog.LAST_COMPUTE_SECONDS, phases.compute_seconds)
        record.set(catalog.LAST_ALLREDUCE_WAIT_SECONDS, phases.allreduce_seconds)

    def epoch(self, validation: Mapping[str, float], mean_auroc: float | None, loss: float | None) -> None:
        """After an epoch, with its validation: AUROC by class, its mean over the findings, and the loss."""
        self._auroc = mean_auroc
        if mean_auroc is not None:
            self.pulse.tell(auroc=mean_auroc)
        state = self._run.state
        for name, value in validation.items():
            self._recorder.set(catalog.VALIDATION_AUROC, value, name)
        if mean_auroc is not None and loss is not None:
            self._recorder.set(catalog.VALIDATION_AUROC_MEAN, mean_auroc)
            self._recorder.set(catalog.VALIDATION_LOSS, loss)
            log.info("epoch %d done: validation loss %.4f, mean AUROC %.3f", state.epoch, loss, mean_auroc)
        self.course.end_epoch(validation, mean_auroc, loss)

    def checkpoints(self, news: News) -> None:
        """After each step, what the writer has to tell."""
        record = self._recorder
        record.set(catalog.CHECKPOINTS_PENDING, news.pending)
        record.add(catalog.CHECKPOINT_FAILURES, news.failures)
        for commit in news.commits[-1:]:
            record.set(catalog.CHECKPOINT_STEP, commit.mark.step)
            record.set(catalog.CHECKPOINT_TIMESTAMP, commit.time)
            record.set(catalog.CHECKPOINT_SECONDS, commit.seconds)
            record.set(catalog.CHECKPOINT_BYTES, commit.size_bytes)

    def ended(self) -> None:
        """After the last checkpoint: what no longer moves is not a stall."""
        self._recorder.set(catalog.TRAINING, 0)

    def films_per_second(self) -> float:
        """Over the last steps, all ranks together."""
        window = self.timer.window()
        return window.films_per_second if window else 0.0

    def _checkpoint_interval(self) -> int:
        """Steps between two checkpoints: as set, and at each epoch's end."""
        epoch = self._run.batches
        return min(self._run.config.checkpoint.every_steps or epoch, epoch)

    def _line(self) -> None:
        state, window, phases = self._run.state, self.timer.window(), self.timer.phases
        loss = self.course.end_steps(films_per_second=self.films_per_second(), learning_rate=self._run.learning_rate())
        eta_seconds = self.timer.eta_seconds(self._run.steps - state.step)
        if window and eta_seconds is not None:
            self.pulse.tell(loss=loss, films_per_second=window.films_per_second, eta_seconds=eta_seconds)
        line = progress_line(
            epoch=state.epoch + 1,
            epochs=self._run.config.train.epochs,
            step=state.batch,
            steps=self._run.batches,
            loss=loss,
            auc=self._auroc,
            films_per_second=window.films_per_second if window else None,
            input_fraction=window.input_fraction if window else None,
            allreduce_fraction=phases.allreduce_fraction if phases else None,
            eta_seconds=eta_seconds,
        )
        log.info("%s", line, extra={"step": state.step, "epoch": state.epoch + 1, "loss": loss})


def _opening(run: Run) -> str:
    training = run.training.manifest
    parts = [
        f"{run.config.model.name}, {run.model.count_params():,} parameters",
        f"{training.films} films of {training.patients} patients",
        f"{run.ranks.topology.world_size} ranks",
        f"batch {run.config.train.global_batch_size}",
        f"{run.steps} steps",
        run.model.dtype_policy.name,
    ]
    return "training: " + ", ".join(parts)
