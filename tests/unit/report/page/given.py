"""Scores of a few films, for tests of the page."""

import numpy as np

from trainer.report.film_scores import FilmScores

SCORED = FilmScores(
    films=("a.png", "b.png", "c.png"),
    classes=("Mass", "No Finding"),
    scores=np.array([[0.1, 0.8], [0.9, 0.3], [0.7, 0.2]], np.float32),
    labels=np.array([[1, 0], [0, 0], [1, 0]], np.float32),
    patients=("p", "q", "q"),
)
