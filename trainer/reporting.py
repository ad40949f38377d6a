"""Writes the report of a run that was scored: its facts, what is computed from them, its worst films, on one page."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.shard.manifest import Split
from trainer.data.store.opening import is_remote, open_store
from trainer.durable import write_durably
from trainer.looking import looks_at
from trainer.report.analysis import Analysis, analyse, choose_on
from trainer.report.card import card
from trainer.report.facts import KEY, RunFacts, collect
from trainer.report.mistakes import worst_mistakes
from trainer.report.page.cases import case_blocks
from trainer.report.page.classes import Shown
from trainer.report.page.compose import compose
from trainer.report.page.html import render
from trainer.report.page.subgroups import ByTrait
from trainer.report.people import scores_by_group
from trainer.report.scores_folder import SplitScores
from trainer.scoring import Watch, unwatched

log = logging.getLogger("cxr_train")

FILE = "report.html"


@dataclass(frozen=True)
class Reported:
    """Where the page is, how large it is, and how many film pictures it holds: a film is counted once a class."""

    where: str
    bytes: int
    films: int


def report(config: Config, watch: Watch = unwatched) -> Reported:
    """Writes the page of the run in ``checkpoint.directory``, from what ``evaluate`` wrote there; its model card too.

    Raises DataError for a run that is not finished or was not scored, UsageError; StoreDown.
    """
    facts, split = _facts(config)
    shown, films = facts.scores[split], _films(config, facts, split)
    validation = facts.scores.get("validation") if split == "test" else None
    chosen = choose_on(validation.films, shown.scores.at_sensitivity) if validation else None
    analysis = analyse(shown.films, shown.scores, chosen, bins=config.evaluate.calibration_bins)
    cases, pictures = _cases(config, facts, shown, analysis, films, watch)
    title = config.report.title or f"Chest-film classifier: {Path(facts.where).name}"
    page = render(compose(title, facts, shown, analysis, _groups(config, shown), cases)).encode()
    card(facts).write(open_store(config.checkpoint.directory, config.store, KEY))
    return Reported(_write(config, page), len(page), pictures)


def _facts(config: Config) -> tuple[RunFacts, Split]:
    """The run, and which of its scores the page is about."""
    wanted = config.report.split
    if wanted != "auto":
        return collect(config, [wanted]), wanted
    facts = collect(config)
    return facts, "test" if "test" in facts.scores else "validation"


def _films(config: Config, facts: RunFacts, split: Split) -> FilmSet | None:
    """The set that was scored; None, with a warning, where it is no longer there."""
    found = facts.sets[split]
    if found.manifest is None:
        log.warning("the page shows no films: %s", found.why)
        return None
    return FilmSet.open(open_store(found.where, config.store, f"data.{split}"), config.data.cache)


def _groups(config: Config, shown: SplitScores) -> ByTrait:
    """Scores by sex, age band and view, with intervals as those of the whole set."""
    scores = shown.scores
    drawn = {"resamples": scores.resamples, "confidence": scores.confidence, "seed": scores.seed}
    evaluated = config.evaluate.model_copy(update=drawn)
    return scores_by_group(shown.films, evaluated, (*scores.mean_over, *scores.left_out))


def _cases(
    config: Config,
    facts: RunFacts,
    shown: SplitScores,
    analysis: Analysis,
    films: FilmSet | None,
    watch: Watch,
) -> tuple[Shown, int]:
    """Blocks of the worst films by class, and how many film pictures are in them."""
    most = config.report.films_per_class
    if films is None or not most:
        return {}, 0
    scores, labels, names = shown.films.scores, shown.films.labels, shown.films.classes
    thresholds = _thresholds(analysis)
    mistakes = [worst_mistakes(scores[:, c], labels[:, c], thresholds[c], most) for c in range(len(names))]
    wanted = [(film, c) for c, each in enumerate(mistakes) for film in (*each.misses, *each.false_alarms)]
    looks = looks_at(config, facts.checkpoint.mark, films, wanted, watch)
    cases = {
        name: tuple(case_blocks(shown.films, c, mistakes[c], thresholds[c], looks)) for c, name in enumerate(names)
    }
    return cases, len(looks)


def _thresholds(analysis: Analysis) -> Sequence[float | None]:
    """Youden's, of each class: None where none was chosen."""
    return [each.youden.threshold if each.youden else None for each in analysis.classes]


def _write(config: Config, page: bytes) -> str:
    """Where the page is now."""
    output = config.report.output
    if not output:
        store = open_store(config.checkpoint.directory, config.store, KEY)
        store.write(FILE, page)
        return f"{store.where}/{FILE}"
    if is_remote(output):
        folder, _, name = output.rpartition("/")
        open_store(folder, config.store, "report.output").write(name, page)
    else:
        write_durably(Path(output), page)
    return output
