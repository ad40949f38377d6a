"""Draws the picture of the dashboard that the README shows: ``python -m docs.draw``."""
