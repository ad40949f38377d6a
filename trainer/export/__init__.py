"""A run's network for those who live without this project, in three forms, each checked before it is kept."""
