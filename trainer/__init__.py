"""Trains chest-film classifiers."""

from importlib.metadata import version

__version__ = version("cxr-train")
