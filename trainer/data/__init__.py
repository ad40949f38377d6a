"""Films and labels: from a catalog and films to shards, and from shards to batches."""
