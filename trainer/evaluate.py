"""Scores a checkpoint on a prepared set: sharded over ranks, gathered once, scored once, written by rank 0."""

import csv
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer import history, runtime
from trainer.checkpoint import files as checkpoint
from trainer.checkpoint.files import Checkpoint
from trainer.collectives import Collectives, same_everywhere, self_test
from trainer.config import Config, ModelConfig
from trainer.data.film_set import FilmSet
from trainer.durable import write_durably
from trainer.errors import DataError
from trainer.labels import label_set
from trainer.metrics.bootstrap import Scores, bootstrap
from trainer.report.curves import draw_curves
from trainer.report.table import scores_json
from trainer.run import assign, network, open_films
from trainer.scoring import Scorer, Watch, unwatched
from trainer.telemetry.beat import Pulse
from trainer.topology import Topology


@dataclass(frozen=True)
class Evaluated:
    """The scores and where they were written; ``curves`` is None where the run has no history."""

    scores: Scores
    classes: tuple[str, ...]
    folder: Path
    checkpoint: Path
    curves: Path | None
    training_films_per_second: float | None

    def facts(self) -> dict[str, str]:
        """What to read on with, by name: speed, and where everything lies."""
        speed, curves = self.training_films_per_second, self.curves
        return {
            "training speed": f"{speed:.0f} films/s" if speed else "unknown",
            "checkpoint": str(self.checkpoint),
            "scores": str(self.folder / "scores.json"),
            "score per film": str(self.folder / "films.csv"),
            "curves": str(curves) if curves else "none: the run has no history",
        }


def evaluate(config: Config, topology: Topology, watch: Watch = unwatched) -> Evaluated:
    """Scores ``data.<evaluate.split>`` with the run's best or last checkpoint, in float32, on all ranks.

    Writes ``<checkpoint.directory>/scores-<split>/{scores.json, films.csv}`` and ``curves.png``.
    Raises DataError if there is no good checkpoint or the set has other classes.
    """
    ranks = runtime.start(config, topology, precision="float32")
    pulse = Pulse(os.environ)
    directory = Path(config.checkpoint.directory)
    folder, loaded = _read_by_first(config, directory, ranks)
    films = open_films(config, config.evaluate.split)
    self_test(ranks)
    same_everywhere(ranks, f"{config.evaluate.split} set", films.digest.encode())
    _refuse_other_classes(config, films, loaded.state)
    as_trained = ModelConfig.model_validate(loaded.state.run["model"])
    model = network(config.model_copy(update={"model": as_trained}), films, ranks)
    if topology.is_first:
        assign(model, loaded.model)
    ranks.broadcast([each.value for each in model.variables])
    scorer = Scorer(model, ranks, channels=as_trained.channels, batch_size=config.evaluate.batch_size)
    pulse.enter("scoring")
    probabilities = scorer.scores(films, config.data, _both(watch, pulse.scored))
    scores = _score(config, films, probabilities)
    out = directory / f"scores-{config.evaluate.split}"
    curves = None
    if topology.is_first:
        out.mkdir(exist_ok=True)
        _write(out, config, films, probabilities, scores, folder)
        curves = _draw_curves(directory)
    speed = _training_speed(directory)
    return Evaluated(scores, films.manifest.classes, out, folder, curves, speed)


def _read_by_first(config: Config, directory: Path, ranks: Collectives) -> tuple[Path, Checkpoint]:
    """The checkpoint's folder and, on rank 0 alone, its arrays: a run's folder may lie on that rank's node only."""
    found: Checkpoint | None = None
    facts = b""
    if ranks.topology.is_first:
        folder = {"best": checkpoint.best, "last": checkpoint.last}[config.evaluate.checkpoint](directory)
        found = checkpoint.load(folder)
        facts = json.dumps({"folder": folder.name, "state": asdict(found.state)}).encode()
    received = json.loads(ranks.broadcast_bytes(facts))
    state = checkpoint.State(**received["state"])
    return directory / received["folder"], found or Checkpoint({}, {}, state)


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
    )


def _write(
    out: Path,
    config: Config,
    films: FilmSet,
    probabilities: npt.NDArray[np.float32],
    scores: Scores,
    folder: Path,
) -> None:
    facts = {
        "split": config.evaluate.split,
        "set": films.digest,
        "checkpoint": folder.name,
        **scores_json(scores, films.manifest.classes),
    }
    write_durably(out / "scores.json", f"{json.dumps(facts, indent=1)}\n".encode())
    with (out / "films.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        classes = films.manifest.classes
        rows.writerow(["film", *(f"score {each}" for each in classes), *(f"label {each}" for each in classes)])
        for film, given, labels in zip(films.ids(), probabilities.tolist(), films.labels().tolist(), strict=True):
            rows.writerow(
                [
                    film,
                    *(f"{each:.7g}" for each in given),
                    *("" if math.isnan(each) else f"{each:g}" for each in labels),
                ]
            )


def _draw_curves(directory: Path) -> Path | None:
    rows = history.read(directory)
    if not rows:
        return None
    draw_curves(rows, directory / "curves.png")
    return directory / "curves.png"


def _training_speed(directory: Path) -> float | None:
    """Median films/s of the run's log lines."""
    speeds = [row["films_per_second"] for row in history.read(directory) if row.get("films_per_second")]
    return float(np.median(speeds)) if speeds else None


def _refuse_other_classes(config: Config, films: FilmSet, state: checkpoint.State) -> None:
    if state.run["classes"] != list(films.manifest.classes) or state.run["image_size"] != films.manifest.image.height:
        raise DataError(
            f"data.{config.evaluate.split}",
            getattr(config.data, config.evaluate.split),
            "has other classes or another image size than the checkpoint was trained on",
            "evaluate on a set prepared with the same prepare.image_size and data.labels",
        )
