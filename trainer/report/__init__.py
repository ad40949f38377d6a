"""What a reader sees of a run: curves and tables."""
