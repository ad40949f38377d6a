"""From a store to this machine: shards brought to a node's folder in the order of need, and films read meanwhile."""
