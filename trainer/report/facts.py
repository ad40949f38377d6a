"""What is known of a finished run, collected from its directory in one place: for the report and the model card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.checkpoint import history
from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import manifest as read_checkpoint
from trainer.checkpoint.reading import newest_state
from trainer.checkpoint.snapshot import State
from trainer.config import Config
from trainer.data.shard.manifest import SPLITS, Manifest, Split, parse_manifest, read_content, sha256_of
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import DataError, UsageError
from trainer.report.scores_folder import SplitScores, read_facts, read_scores

KEY = "checkpoint.directory"


@dataclass(frozen=True)
class SetFacts:
    """A prepared set that the run was trained or scored on."""

    split: Split
    where: str
    digest: str
    """SHA-256 of its manifest, which holds the hashes of all else."""
    manifest: Manifest | None
    """None where the set of that digest is no longer there; ``why`` tells."""
    why: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """The one that was scored: ``epoch`` epochs and ``batch`` batches of the next had been trained."""

    mark: Mark
    epoch: int
    batch: int


@dataclass(frozen=True)
class RunFacts:
    """A finished run that was scored."""

    where: str
    checkpoint: Checkpoint
    steps: int
    """Updates of the whole run; the checkpoint that was scored may be an earlier one."""
    epochs: int
    stopped_early: bool
    best_validation_auroc: float | None
    program: str
    """The version that trained it."""
    config: Mapping[str, Any]
    """As it was trained, by section."""
    labels: str
    """The name of the label set."""
    classes: tuple[str, ...]
    image_size: int
    """Height and width of its films, pixels."""
    environment: Mapping[str, str]
    """What it was trained with, by name; empty for a run of a version that did not write it."""
    sets: Mapping[Split, SetFacts]
    scores: Mapping[Split, SplitScores]
    history: Sequence[history.Row]


def collect(config: Config, need: Sequence[Split] = ()) -> RunFacts:
    """The facts of the run in ``checkpoint.directory``, a folder or a store's.

    The sets are looked for where ``data.<split>`` says, else where they were when the run was trained.

    Args:
        config: the whole tree; of the run itself only its place is taken from it.
        need: splits that must have been scored; at least one must have been in any case.

    Raises DataError for a run that is not finished, was not scored, or whose scores are of several checkpoints or
    are damaged; StoreDown.
    """
    store = open_store(config.checkpoint.directory, config.store, KEY)
    _, state = finished(store)
    run = state.run
    marks = {split: each for split in SPLITS if (each := read_facts(store, f"scores-{split}"))}
    _refuse_unscored(store, marks, need)
    checkpoint = _checkpoint(store, marks)
    scores = {split: read_scores(store, f"scores-{split}", each, run["classes"]) for split, each in marks.items()}
    _refuse_other_aims(store, scores)
    return RunFacts(
        where=store.where,
        checkpoint=checkpoint,
        steps=state.step,
        epochs=state.epoch,
        stopped_early=state.stopped_early,
        best_validation_auroc=state.best_auroc,
        program=run["program_version"],
        config=run["config"],
        labels=run["config"]["data"]["labels"],
        classes=tuple(run["classes"]),
        image_size=run["image_size"],
        environment=run.get("environment", {}),
        sets=_sets(config, run, scores),
        scores=scores,
        history=history.read(store),
    )


def finished(store: Store) -> tuple[Mark, State]:
    """The newest checkpoint of a run that was trained to its end; raises DataError for one that was not, or is none."""
    found = newest_state(store)
    if found is None:
        raise DataError(store.key, store.where, "has no good checkpoint", "train first, or correct the path")
    _, state = found
    wanted = state.run["config"]["train"]["epochs"]
    if state.epoch < wanted and not state.stopped_early:
        rule = f"is not finished: {state.epoch} of {wanted} epochs are trained"
        raise DataError(store.key, store.where, rule, "train it to its end with 'cxr-train train'")
    return found


def _refuse_unscored(store: Store, scored: Mapping[Split, object], need: Sequence[Split]) -> None:
    missing = [each for each in need if each not in scored] or ([] if scored else ["test"])
    if missing:
        cure = f"run 'cxr-train evaluate --set evaluate.split={missing[0]}'"
        raise DataError(store.key, store.where, f"holds no scores of its {missing[0]} set", cure)


def _refuse_other_aims(store: Store, scores: Mapping[Split, SplitScores]) -> None:
    """Thresholds are chosen on one set and told of another: for the same sensitivity."""
    aims = {split: each.scores.at_sensitivity for split, each in scores.items()}
    if len(set(aims.values())) > 1:
        rule = (
            f"holds scores at several sensitivities ({', '.join(f'{split}: {aim:g}' for split, aim in aims.items())})"
        )
        cure = "run 'cxr-train evaluate' for each split with the same evaluate.at_sensitivity"
        raise DataError(store.key, store.where, rule, cure)


def _checkpoint(store: Store, scored: Mapping[Split, Mapping[str, Any]]) -> Checkpoint:
    """The one that all scores are of."""
    names = {split: str(each.get("checkpoint")) for split, each in scored.items()}
    first, *others = sorted(set(names.values()))
    cure = "run 'cxr-train evaluate' for each split again"
    if others:
        rule = f"holds scores of several checkpoints ({', '.join(f'{split}: {each}' for split, each in names.items())})"
        raise DataError(store.key, store.where, rule, cure)
    mark = Mark.named(first)
    if mark is None or not store.exists(mark.file("manifest.json")):
        raise DataError(store.key, store.where, f"holds scores of {first}, and no checkpoint of that name", cure)
    found = read_checkpoint(store, mark)
    return Checkpoint(mark, found.epoch, found.batch)


def _sets(config: Config, run: Mapping[str, Any], scores: Mapping[Split, SplitScores]) -> dict[Split, SetFacts]:
    """The sets whose digest is known, or that are there."""
    known: dict[Split, str] = {"training": run["training_set"]}
    known |= {split: each.digest for split, each in scores.items()}
    sets = {}
    for split in SPLITS:
        where = getattr(config.data, split) or run["config"]["data"][split]
        found = _set(config, split, where, known.get(split, ""))
        if found:
            sets[split] = found
    return sets


def _set(config: Config, split: Split, where: str, digest: str) -> SetFacts | None:
    if not where:
        return SetFacts(split, where, digest, None, "no setting names it") if digest else None
    key = f"data.{split}"
    try:
        store = open_store(where, config.store, key)
        content = read_content(store)
        found = parse_manifest(content, store)
    except (DataError, UsageError) as error:
        return SetFacts(split, where, digest, None, str(error)) if digest else None
    if digest and sha256_of(content) != digest:
        return SetFacts(split, where, digest, None, f"{key}: {where!r} is another set than the run's")
    return SetFacts(split, where, sha256_of(content), found)
