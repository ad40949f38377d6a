"""Trains chest-film classifiers."""
