"""Draws the docs' pictures: the dashboard (``python -m docs.draw``), gradients (``python -m docs.draw.gradients``)."""
