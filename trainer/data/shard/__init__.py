"""The format of a prepared set: shards, their index, the manifest, the patients."""
