"""The sets at a place: the one there, or those of a destination of prepare below it."""

from typing import NamedTuple

from trainer.data.shard.manifest import MANIFEST_NAME, SPLITS, Manifest, read_manifest
from trainer.data.store.store import Store
from trainer.errors import DataError


class PreparedSet(NamedTuple):
    """A set: the store its files are in, and its manifest."""

    store: Store
    manifest: Manifest

    @property
    def bytes(self) -> int:
        """Of all its shards."""
        return sum(shard.bytes for shard in self.manifest.shards)


def find_sets(place: Store) -> list[PreparedSet]:
    """The set at ``place``, else those in training/, validation/ and test/ below.

    Raises DataError if there is none, or one's manifest is damaged.
    """
    if place.exists(MANIFEST_NAME):
        return [PreparedSet(place, read_manifest(place))]
    below = [place.under(split) for split in SPLITS if place.exists(f"{split}/{MANIFEST_NAME}")]
    if not below:
        rule = f"holds no {MANIFEST_NAME}, nor does {', '.join(f'{split}/' for split in SPLITS)} below it"
        raise DataError(place.key, place.where, rule, "run 'cxr-train prepare' to its end or check the path")
    return [PreparedSet(store, read_manifest(store)) for store in below]
