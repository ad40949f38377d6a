"""A run's checkpoints in a store: their form, who may write them, the writer in the background, what is kept."""
