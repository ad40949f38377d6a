"""Scores a checkpoint on a prepared set: sharded over ranks, gathered once, scored once, written by rank 0."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from trainer import runtime
from trainer.checkpoint import history
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import Loaded, best, last
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.collectives import Collectives, same_everywhere, self_test
from trainer.config import Config, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError
from trainer.films import open_films
from trainer.labels import label_set
from trainer.metrics.bootstrap import Scores, bootstrap
from trainer.network import assign, network
from trainer.report.curves import draw_curves
from trainer.report.film_scores import FILE as FILMS
from trainer.report.film_scores import FilmScores
from trainer.report.table import scores_json
from trainer.scoring import Scorer, Watch, unwatched
from trainer.telemetry.beat import Pulse
from trainer.topology import Topology

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

    Writes ``<checkpoint.directory>/scores-<split>/{scores.json, films.csv}`` and ``curves.png``.
    Raises DataError if there is no good checkpoint or the set has other classes.
    """
    ranks = runtime.start(config, topology, precision="float32")
    pulse = Pulse(os.environ)
    store = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
    loaded = _read_by_first(config, store, ranks)
    state = loaded.snapshot.state
    films = open_films(config, config.evaluate.split, topology)
    self_test(ranks)
    same_everywhere(ranks, f"{config.evaluate.split} set", films.digest.encode())
    _refuse_other_classes(config, films, state)
    as_trained = ModelConfig.model_validate(state.run["model"])
    model = network(config.model_copy(update={"model": as_trained}), films, ranks)
    if topology.is_first:
        assign(model, loaded.snapshot.model)
    ranks.broadcast([each.value for each in model.variables])
    scorer = Scorer(model, ranks, as_trained, batch_size=config.evaluate.batch_size)
    pulse.enter("scoring")
    probabilities = scorer.scores(films, config.data, _both(watch, pulse.scored))
    scores = _score(config, films, probabilities)
    out = f"scores-{config.evaluate.split}"
    course: Sequence[history.Row] = ()
    if topology.is_first:
        course = history.read(store)
        _write(store.under(out), config, films, probabilities, scores, loaded.mark)
        if course:
            store.write(CURVES, draw_curves(course))
    return Evaluated(
        scores,
        films.manifest.classes,
        f"{store.where}/{out}",
        f"{store.where}/{loaded.mark.folder}",
        f"{store.where}/{CURVES}" if course else None,
        _training_speed(course),
    )


def _read_by_first(config: Config, store: Store, ranks: Collectives) -> Loaded:
    """The checkpoint; its arrays on rank 0 alone, because a run's folder may lie on that rank's node only."""
    found: Loaded | None = None
    facts = b""
    if ranks.topology.is_first:
        found = {"best": best, "last": last}[config.evaluate.checkpoint](store)
        facts = json.dumps({"mark": asdict(found.mark), "state": asdict(found.snapshot.state)}).encode()
    received = json.loads(ranks.broadcast_bytes(facts))
    return found or Loaded(Mark(**received["mark"]), Snapshot({}, {}, State(**received["state"])))


def _both(first: Watch, second: Watch) -> Watch:
    def watch(done: int, total: int) -> None:
        first(done, total)
        second(done, total)

    return watch


def _score(config: Config, films: FilmSet, probabilities: npt.NDArray[np.float32]) -> Scores:
    findings = label_set(films.manifest.labels).findings
    return bootstrap(
        probabilities,
        films.labels(),
        np.asarray(films.patients()),
        resamples=config.evaluate.resamples,
        confidence=config.evaluate.confidence,
        seed=config.evaluate.seed,
        mean_over=[films.manifest.classes.index(each) for each in findings],
        at_specificity=config.evaluate.at_specificity,
        at_sensitivity=config.evaluate.at_sensitivity,
    )


def _write(
    out: Store,
    config: Config,
    films: FilmSet,
    probabilities: npt.NDArray[np.float32],
    scores: Scores,
    mark: Mark,
) -> None:
    facts = {
        "split": config.evaluate.split,
        "set": films.digest,
        "checkpoint": mark.folder,
        **scores_json(scores, films.manifest.classes),
    }
    of_films = FilmScores(tuple(films.ids()), films.manifest.classes, probabilities, films.labels())
    out.write(FILMS, of_films.to_csv())
    out.write("scores.json", f"{json.dumps(facts, indent=1)}\n".encode())


def _training_speed(course: Sequence[history.Row]) -> float | None:
    """Median films/s of the run's log lines."""
    speeds = [row["films_per_second"] for row in course if row.get("films_per_second")]
    return float(np.median(speeds)) if speeds else None


def _refuse_other_classes(config: Config, films: FilmSet, state: State) -> None:
    if state.run["classes"] != list(films.manifest.classes) or state.run["image_size"] != films.manifest.image.height:
        raise DataError(
            f"data.{config.evaluate.split}",
            getattr(config.data, config.evaluate.split),
            "has other classes or another image size than the checkpoint was trained on",
            "evaluate on a set prepared with the same prepare.image_size and data.labels",
        )
