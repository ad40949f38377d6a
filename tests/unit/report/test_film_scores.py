"""What is written of films comes back; what is no such table is refused."""

import numpy as np
import pytest

from trainer.errors import DataError
from trainer.report.film_scores import FilmScores, parse_film_scores

SCORED = FilmScores(
    films=('a,"b".png', "c.png"),
    classes=("Mass", "No Finding"),
    scores=np.array([[0.123456789, 0.5], [1e-9, np.nextafter(np.float32(1), np.float32(0))]], np.float32),
    labels=np.array([[1, np.nan], [0, 1]], np.float32),
    others={"view": ("AP", "")},
    patients=("00ff", "ff00"),
)


def test_films_come_back_as_they_were() -> None:
    read = parse_film_scores(SCORED.to_csv(), "films.csv")
    assert (read.films, read.classes, read.others) == (SCORED.films, SCORED.classes, SCORED.others)
    assert read.patients == SCORED.patients
    np.testing.assert_array_equal(read.scores, SCORED.scores)
    np.testing.assert_array_equal(read.labels, SCORED.labels)


def test_the_first_line_names_the_columns() -> None:
    heading = SCORED.to_csv().decode().splitlines()[0]
    assert heading == "film,patient,view,score Mass,score No Finding,label Mass,label No Finding"


def test_a_set_without_films_has_no_rows() -> None:
    empty = FilmScores((), ("Mass",), np.empty((0, 1), np.float32), np.empty((0, 1), np.float32), patients=())
    read = parse_film_scores(empty.to_csv(), "films.csv")
    assert (read.films, read.patients, read.scores.shape) == ((), (), (0, 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"film,patient,score Mass\na,00ff,0.5\n",
        b"film,score M,label M\na,0.5,1\n",
        b"film,patient,score M,label M\na,00ff,x,1\n",
        b"film,patient,score M\na\n",
    ],
)
def test_what_is_no_such_table_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^scores: 'films.csv' is not what 'cxr-train evaluate' writes"):
        parse_film_scores(content, "films.csv")
