"""The whole page from a run's facts: which parts there are, and in which order."""

from trainer.report.analysis import Analysis
from trainer.report.facts import RunFacts
from trainer.report.page.blocks import Page
from trainer.report.page.classes import Shown, class_parts
from trainer.report.page.making import course_part, data_part, methods_part, settings_part
from trainer.report.page.scores import calibration_part, class_scores, threshold_part
from trainer.report.page.subgroups import ByTrait, subgroup_part
from trainer.report.page.summary import RESEARCH_ONLY, in_short, lead
from trainer.report.page.together import together_part
from trainer.report.scores_folder import SplitScores


def compose(title: str, facts: RunFacts, shown: SplitScores, analysis: Analysis, groups: ByTrait, cases: Shown) -> Page:
    """The page about the films of ``shown``: ``groups`` are their scores by trait, ``cases`` pictures of films."""
    classes, scores = shown.films.classes, shown.scores
    parts = (
        in_short(facts, shown),
        class_scores(shown, classes),
        threshold_part(analysis, shown, classes),
        calibration_part(analysis, classes),
        class_parts(analysis, shown, classes, cases),
        subgroup_part(groups, scores, classes),
        together_part(analysis.cooccurrence, classes),
        course_part(facts.history),
        data_part(facts),
        settings_part(facts),
        methods_part(facts, scores.confidence, scores.resamples, scores.seed),
    )
    footer = f"Written by cxr-train {facts.program}. {RESEARCH_ONLY}"
    return Page(title, lead(shown, thresholds=analysis.chosen is not None), tuple(filter(None, parts)), footer)
