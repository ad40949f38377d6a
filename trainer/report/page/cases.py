"""What is said of a film that the network was wrong about, to those who see it and to those who do not."""

from typing import NamedTuple

import numpy as np

from trainer.data.film.images import Pixels
from trainer.report.film_pictures import Heat, film_picture, overlay_picture
from trainer.report.film_scores import FilmScores
from trainer.report.mistakes import Mistakes
from trainer.report.page.blocks import Block, Case, Cases, Paragraph
from trainer.report.page.words import percent, readable


class Look(NamedTuple):
    """A film, uint8 [height, width], and what raised one class's score in it, float [height, width], 0 to 1."""

    pixels: Pixels
    heat: Heat


Looks = dict[tuple[int, int], Look]
"""By the film's place in the set and the class's among the classes."""


def case_blocks(
    films: FilmScores, place: int, mistakes: Mistakes, threshold: float | None, looks: Looks
) -> list[Block]:
    """The misses and false alarms of the class at ``place``; words where there are none of a kind."""
    name = readable(films.classes[place])
    kinds = (
        (f"Worst misses: labelled {name}, scored low", mistakes.misses),
        (f"Worst false alarms: not labelled {name}, scored high", mistakes.false_alarms),
    )
    blocks: list[Block] = []
    for title, chosen in kinds:
        cases = tuple(_case(films, film, place, threshold, looks[film, place]) for film in chosen)
        blocks.append(Cases(title, cases) if cases else Paragraph(f"{title.partition(':')[0]}: none.", "note"))
    return blocks


def _case(films: FilmScores, film: int, place: int, threshold: float | None, look: Look) -> Case:
    name, score = readable(films.classes[place]), films.scores[film, place]
    against = "" if threshold is None else f", threshold {threshold:.3g}"
    labels = [readable(each) for each, label in zip(films.classes, films.labels[film], strict=True) if label == 1]
    labelled = f"labelled {', '.join(labels)}" if labels else "labelled with no class"
    said = f"{films.films[film]}: {name} scored {score:.3g}{against}; {labelled}"
    return Case(
        film_picture(look.pixels, f"Film {said}."),
        overlay_picture(look.pixels, look.heat, f"The same film under Grad-CAM for {name}: {where(look.heat)}."),
        f"{said}.",
    )


def where(heat: Heat) -> str:
    """The heat in words: how much of the film it covers, and in which third of its height and width it is centred."""
    if not heat.any():
        return "nothing raised the score"
    hot = heat >= 0.5
    rows, columns = np.nonzero(hot)
    vertical = ("upper", "middle", "lower")[min(2, int(3 * (rows.mean() + 0.5) / heat.shape[0]))]
    across = ("left", "centre", "right")[min(2, int(3 * (columns.mean() + 0.5) / heat.shape[1]))]
    return f"half the most, or more, on {percent(hot.mean())} of the picture, centred in its {vertical} {across}"
