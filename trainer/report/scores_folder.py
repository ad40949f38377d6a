"""A folder of scores of a run, ``scores-<split>``: scores.json and films.csv, which belong together by a hash."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.data.shard.manifest import sha256_of
from trainer.data.store.store import NotThere, Store
from trainer.errors import DataError
from trainer.metrics.bootstrap import Scores
from trainer.metrics.calibration import Calibration
from trainer.report.film_scores import FILE as FILMS
from trainer.report.film_scores import FilmScores, parse_film_scores
from trainer.report.table import plain, scores_from_json, scores_json

SCORES = "scores.json"

_CURE = "run 'cxr-train evaluate' again"


@dataclass(frozen=True)
class SplitScores:
    """What ``cxr-train evaluate`` wrote of a split."""

    split: str
    digest: str
    """SHA-256 of the set's manifest."""
    scores: Scores
    """Classes in the run's order."""
    films: FilmScores
    written: Mapping[str, Any]
    """``scores.json`` as it is, with what else ``evaluate`` wrote there."""


def write_scores(
    folder: Store, films: FilmScores, scores: Scores, calibrated: Sequence[Calibration | None], facts: Mapping[str, str]
) -> None:
    """Writes both files, scores.json last: one that was cut off between them does not fit the other's hash.

    Args:
        folder: of the split.
        films: their scores, in the set's order.
        scores: of their classes.
        calibrated: likewise.
        facts: what was scored: split, set (SHA-256 of its manifest), labels (label set), checkpoint (its name).
    """
    content = films.to_csv()
    by_class = zip(films.classes, calibrated, strict=True)
    found = {
        **facts,
        "films_sha256": sha256_of(content),
        **scores_json(scores, films.classes),
        "calibration": {name: plain(asdict(each)) if each else None for name, each in by_class},
    }
    folder.write(FILMS, content)
    folder.write(SCORES, f"{json.dumps(found, indent=1)}\n".encode())


def read_facts(run: Store, folder: str) -> Mapping[str, Any] | None:
    """A folder's scores.json; None if the run has no such folder. Raises DataError if it is damaged."""
    name = f"{folder}/{SCORES}"
    try:
        found = json.loads(run.read(name))
    except NotThere:
        return None
    except ValueError as error:
        raise _damaged(run, name, error) from error
    if not isinstance(found, dict):
        raise _damaged(run, name, TypeError("not a mapping"))
    return found


def read_scores(run: Store, folder: str, facts: Mapping[str, Any], classes: Sequence[str] | None = None) -> SplitScores:
    """The scores whose scores.json was read, of these classes; None: of those that films.csv has.

    Raises DataError if either file is damaged, or they do not belong together.
    """
    name = f"{folder}/{FILMS}"
    content = _films_csv(run, name)
    films = parse_film_scores(content, f"{run.where}/{name}")
    try:
        scores = scores_from_json(facts, classes or films.classes)
        split, digest, expected = str(facts["split"]), str(facts["set"]), str(facts["films_sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(run, f"{folder}/{SCORES}", error) from error
    if sha256_of(content) != expected or films.classes != tuple(classes or films.classes):
        rule = f"has other films or classes than {SCORES} beside it"
        raise DataError("scores", f"{run.where}/{name}", rule, _CURE)
    return SplitScores(split, digest, scores, films, facts)


def _films_csv(run: Store, name: str) -> bytes:
    try:
        return run.read(name)
    except NotThere as error:
        raise DataError("scores", f"{run.where}/{name}", "is not there", _CURE) from error


def _damaged(run: Store, name: str, error: Exception) -> DataError:
    rule = f"is damaged ({' '.join(str(error).split())})"
    return DataError("scores", f"{run.where}/{name}", rule, _CURE)
