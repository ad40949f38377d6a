"""Demographics in ``films.csv``: they come back, and the scores of their groups follow from the file alone."""

import numpy as np

from trainer.config import EvaluateConfig
from trainer.demographics import UNTOLD, Demographics
from trainer.report.film_scores import FilmScores, parse_film_scores
from trainer.report.people import people_columns, people_of, scores_by_group

PEOPLE = [
    Demographics("F", 0, "PA"),
    Demographics("M", 90, "lateral"),
    UNTOLD,
    Demographics("O", None, "AP"),
] * 30


def films(people: list[Demographics]) -> FilmScores:
    count = len(people)
    labels = np.arange(count)[:, None] // 4 % 2
    return FilmScores(
        films=tuple(f"{number}.png" for number in range(count)),
        classes=("Mass",),
        scores=np.random.default_rng(0).random((count, 1)).astype(np.float32),
        labels=labels.astype(np.float32),
        others=people_columns(people),
        patients=tuple(f"{number:016x}" for number in range(count)),
    )


def test_they_come_back_from_the_file() -> None:
    content = films(PEOPLE).to_csv()
    assert content.decode().splitlines()[0].startswith("film,patient,sex,age,view,score Mass")
    assert people_of(parse_film_scores(content, "films.csv")) == PEOPLE


def test_a_file_without_such_columns_tells_nothing() -> None:
    bare = films([UNTOLD] * 3)
    assert (
        people_of(FilmScores(bare.films, bare.classes, bare.scores, bare.labels, patients=bare.patients))
        == [UNTOLD] * 3
    )


def test_groups_are_scored_by_trait_and_the_small_ones_say_so() -> None:
    found = scores_by_group(films(PEOPLE), EvaluateConfig(resamples=20), mean_over=[0])
    assert {trait: [each.name for each in groups.groups] for trait, groups in found.items()} == {
        "sex": ["F", "M", "O"],
        "age": ["0-19", "80+"],
        "view": ["PA", "AP", "lateral"],
    }
    assert {trait: groups.films_unknown for trait, groups in found.items()} == {"sex": 30, "age": 60, "view": 30}
    assert all(each.mean_auroc for groups in found.values() for each in groups.groups)
    (few,) = scores_by_group(films([PEOPLE[0]] * 12), EvaluateConfig(resamples=20), mean_over=[0])["sex"].groups
    assert few.mean_auroc is None
    assert few.too_few
