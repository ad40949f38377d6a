"""Films of a folder into batches, by cxr-train: shards are hashed (SHA-256), films read before that are checked by CRC.

Settings: cores (one), films, batch, set (its folder).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.channel import Parent, Settings, settings
from benchmarks.programs.epochs import measure_ways
from trainer.config import DataConfig
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import training_batches
from trainer.data.plan import EpochPlan
from trainer.data.store.folder import FolderStore

_CONFIG = DataConfig()


class Ours:
    """As training reads a set in a folder."""

    def __init__(self, given: Settings) -> None:
        self._batch, self._epoch = given["batch"], 0
        self._films = FilmSet.open(FolderStore(Path(given["set"]), "benchmark"))

    def batches(self, first: int) -> Iterator[tuple[Any, Any]]:
        """The next epoch."""
        plan = EpochPlan(
            self._films.records_per_shard,
            seed=0,
            epoch=self._epoch,
            global_batch_size=self._batch,
            window_shards=_CONFIG.shuffle_window_shards,
        )
        self._epoch += 1
        slots = range(self._batch)
        for batch in training_batches(self._films, plan, slots, first_batch=first, config=_CONFIG):
            yield batch.images, batch.labels

    def close(self) -> None:
        """Shards that are being hashed."""
        self._films.close()
        self._films.settle()


def main() -> None:
    """With one thread a pool, as on one core."""
    given, parent = settings(), Parent()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    measure_ways(parent, given, lambda: Ours(given))


if __name__ == "__main__":
    main()
