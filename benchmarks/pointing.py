"""Where Grad-CAM's hottest pixel lies on phantoms of the demo's run, by the cells of the maps: ``make demo`` first.

The pointing game (Zhang et al., ECCV 2016): a hit is a hottest pixel on the sign of the class that is explained.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from trainer import settings
from trainer.data.film_set import FilmSet
from trainer.data.source.phantom_film import sign
from trainer.data.store.opening import open_store
from trainer.labels import NO_FINDING
from trainer.looking import looks_at
from trainer.report import gradcam
from trainer.report.facts import collect
from trainer.report.page.cases import Look

CONFIG = Path("demo.yaml")
FILMS, CELLS = 400, (2, 4, 7)

_SIGN_SIDE = 0.25
"""Of a phantom's side."""


def main() -> None:
    """Prints the part of hits for each layer."""
    config = settings.load(CONFIG, [])
    facts = collect(config, ["validation"])
    scored = facts.scores["validation"].films
    signs = [place for place, name in enumerate(scored.classes) if name != NO_FINDING]
    found = np.argwhere((scored.labels[:, signs] == 1) & (scored.scores[:, signs] > 0.5))[:FILMS]
    wanted = [(int(film), signs[column]) for film, column in found]
    films = FilmSet.open(open_store(facts.sets["validation"].where, config.store, "data.validation"))
    for cells in CELLS:
        gradcam.FEWEST_CELLS = cells
        looks = looks_at(config, facts.checkpoint.mark, films, wanted, lambda *_: None)
        hits = [_is_hit(looks[pair], scored.classes[pair[1]]) for pair in wanted]
        print(f"maps of at least {cells} cells a side: {np.mean(hits):.0%} of {len(hits)} hit the sign")


def _is_hit(look: Look, finding: str) -> bool:
    side = round(_SIGN_SIDE * len(look.pixels))
    corner = _corner(look.pixels, sign(finding, side))
    hottest = np.unravel_index(look.heat.argmax(), look.heat.shape)
    return bool(look.heat.any() and all(0 <= at - low < side for at, low in zip(hottest, corner, strict=True)))


def _corner(film: npt.NDArray[np.uint8], shape: npt.NDArray[np.float64]) -> Sequence[int]:
    """Where the sign is: the window of the film that is most like it."""
    windows = sliding_window_view(film.astype(np.float64), shape.shape)
    likeness = np.einsum("yxij,ij->yx", windows, shape - shape.mean()) / windows.std(axis=(2, 3))
    return [int(each) for each in np.unravel_index(likeness.argmax(), likeness.shape)]


if __name__ == "__main__":
    main()
