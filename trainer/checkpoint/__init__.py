"""Checkpoints: their files, the attempts that may write them, and the writer in the background."""
