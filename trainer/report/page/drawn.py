"""From a figure to a picture of the page."""

from matplotlib.figure import Figure

from trainer.report.drawing import pixels, to_svg
from trainer.report.page.blocks import Picture


def drawn(figure: Figure, alt: str, caption: str = "") -> Picture:
    """As SVG; ``alt`` says in words and numbers what the figure shows."""
    return Picture(alt, to_svg(figure), "image/svg+xml", *pixels(figure), caption)
