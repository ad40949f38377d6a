"""Scores of a classifier, pure numpy: areas under curves and their intervals."""
