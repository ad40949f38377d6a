"""From films and a table to sets of shards."""
