"""Scores a checkpoint on a prepared set: sharded over ranks, gathered once, scored once, written by rank 0."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer import runtime
from trainer.checkpoint import history
from trainer.checkpoint.manifest import Mark
from trainer.collectives import same_everywhere, self_test
from trainer.config import Config, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.films import open_films
from trainer.metrics.bootstrap import Scores, bootstrap
from trainer.metrics.calibration import Calibration, calibration
from trainer.network import assign, network
from trainer.report.curves import draw_curves
from trainer.report.film_scores import FilmScores
from trainer.report.people import people_columns
from trainer.report.scores_folder import write_scores
from trainer.scored_classes import ScoredClasses, scored_classes
from trainer.scoring import Scorer, Watch, unwatched
from trainer.telemetry.beat import Pulse
from trainer.topology import Topology
from trainer.trained import read_by_first

CURVES = "curves.png"


@dataclass(frozen=True)
class Evaluated:
    """The scores and where they were written; ``curves`` is None where the run has no history."""

    scores: Scores
    classes: tuple[str, ...]
    folder: str
    checkpoint: str
    curves: str | None
    training_films_per_second: float | None

    def facts(self) -> dict[str, str]:
        """What to read on with, by name: speed, and where everything lies."""
        speed, curves = self.training_films_per_second, self.curves
        return {
            "training speed": f"{speed:.0f} films/s" if speed else "unknown",
            "checkpoint": self.checkpoint,
            "scores": f"{self.folder}/scores.json",
            "score per film": f"{self.folder}/films.csv",
            "curves": curves or "none: the run has no history",
        }


def evaluate(config: Config, topology: Topology, watch: Watch = unwatched) -> Evaluated:
    """Scores ``data.<evaluate.split>`` with the run's best or last checkpoint, in float32, on all ranks.

    Writes ``<checkpoint.directory>/scores-<split>/{scores.json, films.csv}`` and ``curves.png``; for a set of another
    label set than the checkpoint's, on the classes that both have, ``scores-<split>-<label set>/``.
    Raises DataError if there is no good checkpoint, or the set has other classes and ``evaluate.shared_classes`` is
    off.
    """
    ranks = runtime.start(config, topology, precision="float32")
    pulse = Pulse(os.environ)
    store = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
    loaded = read_by_first(store, config.evaluate.checkpoint, ranks)
    state = loaded.snapshot.state
    films = open_films(config, config.evaluate.split, topology)
    self_test(ranks)
    same_everywhere(ranks, f"{config.evaluate.split} set", films.digest.encode())
    scored = scored_classes(config, films, state.run["classes"], state.run["image_size"])
    as_trained = ModelConfig.model_validate(state.run["model"])
    model = network(config.model_copy(update={"model": as_trained}), films, ranks, classes=len(state.run["classes"]))
    if topology.is_first:
        assign(model, loaded.snapshot.model)
    ranks.broadcast([each.value for each in model.variables])
    scorer = Scorer(model, ranks, as_trained, batch_size=config.evaluate.batch_size)
    pulse.enter("scoring")
    probabilities = scorer.scores(films, config.data, _both(watch, pulse.scored))
    of_films = _of_films(films, scored, probabilities)
    scores = _score(config, of_films, scored)
    out = f"scores-{config.evaluate.split}{scored.part}"
    course: Sequence[history.Row] = ()
    if topology.is_first:
        course = history.read(store)
        _write(store.under(out), config, films, of_films, scores, loaded.mark)
        if course:
            store.write(CURVES, draw_curves(course))
    return Evaluated(
        scores,
        scored.names,
        f"{store.where}/{out}",
        f"{store.where}/{loaded.mark.folder}",
        f"{store.where}/{CURVES}" if course else None,
        _training_speed(course),
    )


def _both(first: Watch, second: Watch) -> Watch:
    def watch(done: int, total: int) -> None:
        first(done, total)
        second(done, total)

    return watch


def _of_films(films: FilmSet, scored: ScoredClasses, probabilities: npt.NDArray[np.float32]) -> FilmScores:
    return FilmScores(
        films=tuple(films.ids()),
        classes=scored.names,
        scores=scored.of_network(probabilities),
        labels=scored.of_set(films.labels()),
        others=people_columns(films.demographics()),
        patients=tuple(films.patients()),
    )


def _score(config: Config, of_films: FilmScores, scored: ScoredClasses) -> Scores:
    return bootstrap(
        of_films.scores,
        of_films.labels,
        np.asarray(of_films.patients),
        resamples=config.evaluate.resamples,
        confidence=config.evaluate.confidence,
        seed=config.evaluate.seed,
        mean_over=scored.findings,
        at_specificity=config.evaluate.at_specificity,
        at_sensitivity=config.evaluate.at_sensitivity,
    )


def _calibration(config: Config, of_films: FilmScores) -> tuple[Calibration | None, ...]:
    return calibration(
        of_films.scores,
        of_films.labels,
        np.asarray(of_films.patients),
        bins=config.evaluate.calibration_bins,
        resamples=config.evaluate.resamples,
        confidence=config.evaluate.confidence,
        seed=config.evaluate.seed,
    )


def _write(out: Store, config: Config, films: FilmSet, of_films: FilmScores, scores: Scores, mark: Mark) -> None:
    facts = {
        "split": config.evaluate.split,
        "set": films.digest,
        "labels": films.manifest.labels,
        "checkpoint": mark.folder,
    }
    write_scores(out, of_films, scores, _calibration(config, of_films), facts)


def _training_speed(course: Sequence[history.Row]) -> float | None:
    """Median films/s of the run's log lines."""
    speeds = [row["films_per_second"] for row in course if row.get("films_per_second")]
    return float(np.median(speeds)) if speeds else None
