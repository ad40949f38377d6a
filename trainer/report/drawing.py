"""The look of all pictures of a report: one palette, one frame, and how a figure becomes an image."""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers; a line also has a dash or a marker of its own.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE, GRAY = "#0072B2", "#D55E00", "#CC79A7", "#666666"

_DOTS_PER_INCH = 100


def new_figure(width: float, height: float) -> Figure:
    """Of that size in inches, with 100 dots in each."""
    return Figure(figsize=(width, height), dpi=_DOTS_PER_INCH, layout="constrained")


def label_axes(axes: Axes, title: str, x: str, y: str) -> None:
    """Title, axes, a faint grid, and a legend if a line or mark has a label."""
    axes.set_title(title, fontsize=15)
    axes.set_xlabel(x, fontsize=13)
    axes.set_ylabel(y, fontsize=13)
    axes.tick_params(labelsize=12)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=12, frameon=False)


def to_png(figure: Figure) -> bytes:
    """As PNG; equal figures give equal bytes."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def to_svg(figure: Figure) -> bytes:
    """As SVG with letters as outlines, so that it looks the same everywhere; equal figures give equal bytes."""
    stream = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "cxr-train", "svg.fonttype": "path"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def pixels(figure: Figure) -> tuple[int, int]:
    """Width and height of its image."""
    width, height = figure.get_size_inches()
    return round(width * _DOTS_PER_INCH), round(height * _DOTS_PER_INCH)
