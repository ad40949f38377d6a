"""One film: its pixels from a file, and as a shard stores them."""
