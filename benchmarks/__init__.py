"""Paired comparisons with peers and with the bare machine: ``make bench``, or ``python -m benchmarks.run NAME``."""
