"""Findings that come together."""

import numpy as np
from matplotlib.figure import Figure

from trainer.metrics.cooccurrence import Cooccurrence
from trainer.report.drawing import new_figure
from trainer.report.page.blocks import Paragraph, Part, Pictures, Table
from trainer.report.page.drawn import drawn
from trainer.report.page.words import percent, readable


def together_part(found: Cooccurrence, classes: tuple[str, ...]) -> Part:
    """How often each pair of classes is on one film, as a picture and as counts."""
    names = tuple(readable(each) for each in classes)
    rows = tuple((name, *(f"{each:,}" for each in counts)) for name, counts in zip(names, found.with_both, strict=True))
    return Part(
        "together",
        "Findings that come together",
        (
            Paragraph("Of the films with the class of a row, the part that also has the class of a column."),
            Pictures((drawn(_figure(found, names), _in_words(found, names)),)),
            Table("Films with both classes; on the diagonal, with that class", ("Class", *names), rows),
        ),
    )


def _in_words(found: Cooccurrence, names: tuple[str, ...]) -> str:
    """The strongest pairs."""
    part = found.given_row().copy()
    np.fill_diagonal(part, np.nan)
    flat = np.where(np.isnan(part), -1.0, part).ravel()
    strongest = [divmod(int(each), len(names)) for each in np.argsort(-flat, kind="stable")[:5] if flat[each] > 0]
    pairs = ", ".join(f"{percent(part[row, column])} of {names[row]} with {names[column]}" for row, column in strongest)
    return f"Co-occurrence of the classes. Most often together: {pairs or 'no two'}."


def _figure(found: Cooccurrence, names: tuple[str, ...]) -> Figure:
    part = found.given_row()
    side = 2.6 + 0.42 * len(names)
    figure = new_figure(side, side * 0.9)
    axes = figure.subplots()
    axes.imshow(np.nan_to_num(part), cmap="cividis", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=11)
    axes.set_yticks(range(len(names)), names, fontsize=11)
    axes.set_xlabel("also has", fontsize=13)
    axes.set_ylabel("films with", fontsize=13)
    for row, column in np.ndindex(part.shape):
        value = part[row, column]
        text = "-" if np.isnan(value) else f"{100 * value:.0f}"
        ink = "black" if value > 0.5 else "white"
        axes.text(column, row, text, ha="center", va="center", fontsize=10, color=ink)
    axes.set_title("Percent of a row's films", fontsize=14)
    return figure
