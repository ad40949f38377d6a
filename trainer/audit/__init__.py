"""The proof that every film was seen exactly once an epoch: what the ranks put on record, and what it shows."""
