"""Weights from elsewhere: read without running anything in them, renamed, and fitted to a network."""
