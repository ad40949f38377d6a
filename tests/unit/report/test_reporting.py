"""The report of a run: it tells what the scores say, shows films, and says in words what it cannot tell."""

import re
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from playwright.sync_api import Browser

from tests.browser import PHONE, open_page
from tests.unit.report.conftest import FinishedRun
from trainer import settings
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.model.registry import build
from trainer.network import model_arrays
from trainer.report.card import card
from trainer.report.facts import collect
from trainer.report.page.words import readable, with_interval
from trainer.reporting import Reported, report


@pytest.fixture
def run(begun: FinishedRun) -> FinishedRun:
    """A finished run of a real network, scored on both sets."""
    small = replace(begun, config=overlaid(begun.config, model={"name": "simple_cnn"}, report={"films_per_class": 1}))
    keras.utils.set_random_seed(0)
    model = build(small.config.model, classes=15, image_size=32)
    checkpoint = small.write_state(model_arrays(model))
    for seed, split in enumerate(("validation", "test")):
        small.score(split, checkpoint, seed=seed)
    return small


def overlaid(config: Config, **sections: dict[str, object]) -> Config:
    tree = config.model_dump()
    for name, values in sections.items():
        tree[name] |= values
    return settings.validate(tree)


def page_of(config: Config, **changes: object) -> tuple[Reported, str]:
    written = report(overlaid(config, report=dict(changes)))
    return written, Path(written.where).read_text(encoding="utf-8")


def text_of(page: str) -> str:
    """What is read, without images."""
    return re.sub(r'src="data:[^"]*"', "", page)


def test_the_model_card_lies_in_the_run(run: FinishedRun) -> None:
    page_of(run.config, films_per_class=0)
    made = card(collect(run.config))
    assert run.store.read("card.md") == made.markdown()
    assert run.store.read("card.json") == made.json()


def test_every_score_is_on_the_page(run: FinishedRun) -> None:
    _, page = page_of(run.config, films_per_class=0)
    facts = collect(run.config)
    for name, score in zip(facts.classes, facts.scores["test"].scores.classes, strict=True):
        for estimate in (score.auroc, score.average_precision, score.sensitivity, score.specificity):
            assert with_interval(estimate) in page, f"{name}: {estimate}"
    assert with_interval(facts.scores["test"].scores.mean_auroc) in page
    for each in facts.sets.values():
        assert each.digest in page


def test_films_are_shown_by_the_ids_of_the_set_and_no_patient_is(run: FinishedRun) -> None:
    written, page = page_of(run.config)
    films = FilmSet.open(FolderStore(Path(run.config.data.test), "data.test"))
    shown = set(re.findall(r"(\d{8}\.png): ", page))
    assert 0 < len(shown) <= written.films <= 2 * 15
    assert shown <= set(films.ids())
    assert not any(each in page for each in films.patients())


def test_a_browser_has_nothing_to_complain_of(run: FinishedRun, chromium: Browser) -> None:
    written, _ = page_of(run.config)
    opened = open_page(chromium, Path(written.where), width=PHONE)
    assert (opened.complaints, opened.requests, opened.broken_images()) == ([], [], [])
    assert opened.page.locator("figure .pair img").count() == 2 * written.films > 0
    assert opened.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert opened.barriers() == []
    opened.page.close()


def test_the_same_run_gives_the_same_page(run: FinishedRun) -> None:
    assert page_of(run.config, films_per_class=0)[1] == page_of(run.config, films_per_class=0)[1]


def test_title_and_place_are_set(run: FinishedRun, tmp_path: Path) -> None:
    written, page = page_of(run.config, films_per_class=0, title="Tom & <b>Jerry</b>", output=str(tmp_path / "a.html"))
    assert written.where == str(tmp_path / "a.html")
    assert "<title>Tom &amp; &lt;b&gt;Jerry&lt;/b&gt;</title>" in page


def test_without_validation_scores_there_are_no_thresholds_and_it_says_why(begun: FinishedRun) -> None:
    begun.score("test", begun.write_state())
    text = text_of(page_of(begun.config, films_per_class=0)[1])
    assert "run &#39;cxr-train evaluate --set evaluate.split=validation&#39;" in text
    assert 'id="thresholds"' not in text
    assert "Temperature</th>" not in text


def test_where_only_validation_was_scored_it_warns_that_this_is_optimistic(begun: FinishedRun) -> None:
    begun.score("validation", begun.write_state())
    text = text_of(page_of(begun.config, films_per_class=0)[1])
    assert "which also chose the checkpoint: expect lower scores on others" in text
    assert 'id="thresholds"' not in text


def test_a_split_that_was_not_scored_is_refused(begun: FinishedRun) -> None:
    begun.score("validation", begun.write_state())
    with pytest.raises(
        DataError, match=r"no scores of its test set; run 'cxr-train evaluate --set evaluate\.split=test'"
    ):
        report(overlaid(begun.config, report={"split": "test"}))


def test_an_unfinished_run_is_refused(begun: FinishedRun) -> None:
    begun.score("test", begun.write_state(epoch=1))
    with pytest.raises(DataError, match="is not finished: 1 of 2 epochs"):
        report(begun.config)


def test_a_set_that_is_gone_costs_its_films_and_nothing_else(run: FinishedRun) -> None:
    where = Path(run.config.data.test)
    where.rename(where.with_name("elsewhere"))
    written, page = page_of(run.config)
    assert written.films == 0
    assert "The test set could not be read" in page
    assert 'id="thresholds"' in page


def test_a_class_without_positives_is_said_to_have_none(run: FinishedRun) -> None:
    run.score("test", collect(run.config).checkpoint.mark.folder, without="Hernia")
    text = text_of(page_of(run.config, films_per_class=1)[1])
    hernia = text[text.index('id="class-hernia"') :].partition("</section>")[0]
    assert "0 of 60 test films of known label have it (0%). Because no film has it, there is no ROC curve" in hernia
    assert "ROC curve of Hernia" not in hernia
    assert "Worst misses: none." in hernia
    assert "no positives" in text
    assert f"for want of positive or negative films: {readable('Hernia')}." in text
