"""A model card says what the facts say, in Markdown as in JSON, and what the numbers do not allow to conclude."""

import dataclasses
import json

import numpy as np
import pytest

from tests.unit.report.conftest import FinishedRun
from trainer.data.store.folder import FolderStore
from trainer.report.card import NOT_FOR, Card, card
from trainer.report.facts import RunFacts, collect


@pytest.fixture
def facts(finished: FinishedRun) -> RunFacts:
    return collect(finished.config)


def test_the_values_are_those_of_the_run(facts: RunFacts) -> None:
    values = card(facts).values
    assert values["checkpoint"] == facts.checkpoint.mark.folder
    assert values["data"]["training"]["sha256"] == facts.sets["training"].digest
    assert [values["data"][split]["films"] for split in ("training", "validation", "test")] == [150, 70, 60]
    test = facts.scores["test"].scores
    assert values["metrics"]["test"]["mean_auroc"]["low"] == test.mean_auroc.low
    found = values["metrics"]["test"]["classes"]
    assert [each["auroc"]["value"] for each in found.values()] == [each.auroc.value for each in test.classes]
    assert list(found) == list(facts.classes)


def test_markdown_says_what_json_says(facts: RunFacts) -> None:
    made = card(facts)
    values, text = json.loads(made.json()), made.markdown().decode()
    for digest in (each["sha256"] for each in values["data"].values()):
        assert f"`{digest}`" in text
    for limit in values["limits"]:
        assert f"- {limit}" in text
    mean = values["metrics"]["test"]["mean_auroc"]
    assert f"**{mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})**" in text
    for use in NOT_FOR:
        assert use in text


def test_it_opens_with_what_it_is_not_for(facts: RunFacts) -> None:
    lines = card(facts).markdown().decode().splitlines()
    assert lines[2].startswith("**Not for diagnosis.**")


def test_every_table_row_has_the_cells_of_its_heading(facts: RunFacts) -> None:
    cells = 0
    for line in card(facts).markdown().decode().splitlines():
        if not line.startswith("|"):
            cells = 0
            continue
        count = line.replace("\\|", "").count("|")
        cells = cells or count
        assert count == cells, line


def test_thresholds_are_those_of_validation(facts: RunFacts) -> None:
    found = card(facts).values["thresholds"]
    scored = facts.scores["validation"]
    for number, name in enumerate(facts.classes):
        scores, positive = scored.films.scores[:, number], scored.films.labels[:, number] > 0.5
        reached = np.mean(scores[positive] >= np.float32(found["at_sensitivity"][name]))
        assert reached >= scored.scores.at_sensitivity


def test_classes_with_few_positives_are_among_the_limits(facts: RunFacts) -> None:
    few = [name for name, each in zip(facts.classes, facts.scores["test"].scores.classes, strict=True)]
    (line,) = [each for each in card(facts).values["limits"] if "positive films of the test set" in each]
    assert all(name in line for name in few)


def test_a_run_without_a_test_set_says_so(facts: RunFacts) -> None:
    made = card(dataclasses.replace(facts, scores={"validation": facts.scores["validation"]}))
    assert any("not scored on a test set" in each for each in made.values["limits"])


def test_a_class_without_positives_is_not_defined_rather_than_nan(facts: RunFacts) -> None:
    test = facts.scores["test"]
    nothing = dataclasses.replace(test.scores.classes[0].auroc, value=np.nan, low=np.nan, high=np.nan)
    changed = dataclasses.replace(test.scores.classes[0], positives=0, auroc=nothing)
    scores = dataclasses.replace(test.scores, classes=(changed, *test.scores.classes[1:]))
    made = card(dataclasses.replace(facts, scores={"test": dataclasses.replace(test, scores=scores)}))
    values = json.loads(made.json(), parse_constant=pytest.fail)
    assert values["metrics"]["test"]["classes"][facts.classes[0]]["auroc"]["value"] is None
    assert "nan" not in made.markdown().decode().split()
    assert values["thresholds"] == {}


def test_a_set_that_is_gone_is_told_by_its_hash(facts: RunFacts) -> None:
    gone = dataclasses.replace(facts.sets["test"], manifest=None, why="data.test: '/sets' has no manifest.json")
    text = card(dataclasses.replace(facts, sets={**facts.sets, "test": gone})).markdown().decode()
    assert f"| test | unknown | unknown | `{gone.digest}` |" in text
    assert "The test set was not looked at: data.test" in text


def test_both_forms_are_written(facts: RunFacts, tmp_path) -> None:
    made: Card = card(facts)
    made.write(FolderStore(tmp_path / "report", "report"))
    assert (tmp_path / "report" / "card.md").read_bytes() == made.markdown()
    assert json.loads((tmp_path / "report" / "card.json").read_bytes())["name"] == "resnet34 on nih15"


def test_groups_of_people_are_told_where_the_films_tell_them(facts: RunFacts) -> None:
    assert card(facts).values["groups"] == {}
    assert any("by sex, age or view" in each for each in card(facts).values["limits"])
    test = facts.scores["test"]
    sexes = tuple("F" if number % 4 < 2 else "M" for number in range(len(test.films.films)))
    films = dataclasses.replace(test.films, others={"sex": sexes})
    made = card(dataclasses.replace(facts, scores={"test": dataclasses.replace(test, films=films)}))
    groups = made.values["groups"]["sex"]["groups"]
    assert {name: each["films"] for name, each in groups.items()} == {"F": 30, "M": 30}
    text = made.markdown().decode()
    assert "By sex, on the test set; of 0 films it is unknown." in text
    assert not any("by sex, age or view" in each for each in made.values["limits"])
    for name, each in groups.items():
        assert each["too_few"] in text if each["mean_auroc"] is None else name in text
