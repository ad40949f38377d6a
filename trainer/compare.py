"""Compares two runs that were scored on the same films: which ranks better, by how much, and how sure that is."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainer.config import Config
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError
from trainer.labels import LABEL_SETS, NO_FINDING
from trainer.metrics.paired import Differences, paired
from trainer.report.facts import finished
from trainer.report.film_scores import FilmScores
from trainer.report.scores_folder import SplitScores, read_facts, read_scores

_AGAIN = "run 'cxr-train evaluate' for both again"


@dataclass(frozen=True)
class Side:
    """One of the two runs: where it lies, and the checkpoint that was scored."""

    where: str
    checkpoint: str


@dataclass(frozen=True)
class Comparison:
    """Of the classes that both runs were scored on."""

    a: Side
    b: Side
    split: str
    digest: str
    """SHA-256 of the manifest of the set that both were scored on."""
    classes: tuple[str, ...]
    differences: Differences
    only_one_has: tuple[str, ...]
    """Classes that one of the two was not scored on."""


def compare(config: Config, a: str, b: str) -> Comparison:
    """The paired differences of two runs' AUROC on ``evaluate.split``, from what ``cxr-train evaluate`` wrote of both.

    Args:
        config: split, resamples, confidence and seed are those of ``evaluate``.
        a: directory of a run, a folder or a store's.
        b: that of another.

    Raises DataError for a run that is not finished, was not scored, or whose scores are not of its best or last
    checkpoint; for two that were scored on other splits, sets or films, and for damaged files; StoreDown.
    """
    stores = [open_store(where, config.store, key) for key, where in (("A", a), ("B", b))]
    checkpoints = [_checkpoints(store) for store in stores]
    ours, theirs = _on_same_set(stores, config.evaluate.split)
    for store, scored, known in zip(stores, (ours, theirs), checkpoints, strict=True):
        _refuse_outdated(store, scored, known)
    classes = tuple(each for each in ours.films.classes if each in theirs.films.classes)
    _refuse_other_films(stores, (ours, theirs), classes)
    every = dict.fromkeys((*ours.films.classes, *theirs.films.classes))
    return Comparison(
        a=Side(stores[0].where, _checkpoint(ours)),
        b=Side(stores[1].where, _checkpoint(theirs)),
        split=config.evaluate.split,
        digest=ours.digest,
        classes=classes,
        differences=_differences(config, ours.films, theirs.films, classes),
        only_one_has=tuple(each for each in every if each not in classes),
    )


def _differences(config: Config, a: FilmScores, b: FilmScores, classes: Sequence[str]) -> Differences:
    return paired(
        _columns(a, a.scores, classes),
        _columns(b, b.scores, classes),
        _columns(a, a.labels, classes),
        np.asarray(a.patients),
        resamples=config.evaluate.resamples,
        confidence=config.evaluate.confidence,
        seed=config.evaluate.seed,
        mean_over=[place for place, each in enumerate(classes) if each != NO_FINDING],
    )


def _columns(films: FilmScores, of_films: npt.NDArray[np.float32], classes: Sequence[str]) -> npt.NDArray[np.float32]:
    """[films, classes] of those classes."""
    return of_films[:, [films.classes.index(each) for each in classes]]


def _checkpoints(store: Store) -> set[str]:
    """The names of a finished run's best and last checkpoint."""
    newest, state = finished(store)
    return {state.best, newest.folder}


def _checkpoint(scored: SplitScores) -> str:
    return str(scored.written.get("checkpoint"))


def _refuse_outdated(store: Store, scored: SplitScores, known: set[str]) -> None:
    if _checkpoint(scored) not in known:
        rule = f"has been trained on since its {scored.split} set was scored (at {_checkpoint(scored)})"
        raise DataError(store.key, store.where, rule, "run 'cxr-train evaluate' again")


def _on_same_set(stores: Sequence[Store], split: str) -> tuple[SplitScores, SplitScores]:
    """Both runs' scores of one set; the first that both were scored on."""
    ours, theirs = ({each.digest: each for each in _scored(store, split)} for store in stores)
    for digest, scores in ours.items():
        if digest in theirs:
            return scores, theirs[digest]
    (own, *_), (other, *_) = ours, theirs
    rule = f"was scored on the {split} set {other}, {stores[0].where} on {own}"
    cure = "score both on one set: their differences would be those of the films"
    raise DataError(stores[1].key, stores[1].where, rule, cure)


def _scored(store: Store, split: str) -> Iterator[SplitScores]:
    """What a run was scored on: a set of its own label set first. Raises DataError where there is nothing."""
    folders = (f"scores-{split}{part}" for part in ("", *(f"-{each}" for each in LABEL_SETS)))
    found = {folder: facts for folder in folders if (facts := read_facts(store, folder))}
    if not found:
        cure = f"run 'cxr-train evaluate --set evaluate.split={split}'"
        raise DataError(store.key, store.where, f"holds no scores of its {split} set", cure)
    for folder, facts in found.items():
        scores = read_scores(store, folder, facts)
        if scores.split != split:
            rule = f"holds scores of its {scores.split} set in {folder}"
            raise DataError(store.key, store.where, rule, "run 'cxr-train evaluate' again")
        yield scores


def _refuse_other_films(stores: Sequence[Store], scored: Sequence[SplitScores], classes: Sequence[str]) -> None:
    if not classes:
        rule = f"has no class in common with {stores[0].where}"
        raise DataError(stores[1].key, stores[1].where, rule, "compare runs that share findings")
    ours, theirs = (_digest(each.films, classes) for each in scored)
    if ours != theirs:
        rule = f"was scored on other films, patients or labels ({theirs}) than {stores[0].where} ({ours})"
        raise DataError(stores[1].key, stores[1].where, rule, _AGAIN)


def _digest(films: FilmScores, classes: Sequence[str]) -> str:
    """SHA-256 of films, patients and labels, in their order."""
    labels = _columns(films, films.labels, classes)
    parts = (repr(films.films).encode(), repr(films.patients).encode(), np.ascontiguousarray(labels).tobytes())
    return hashlib.sha256(b"".join(parts)).hexdigest()
