"""The same shards, which are TFRecord files, into batches by tf.data; it checks the CRC of every record.

As its guides say: files interleaved, records shuffled, batched, parsed as a batch, prefetched. A resume skips what was
read, before anything is parsed; or, if ``saved``, restores an iterator, whose checkpoint holds the films of the buffer.
Settings: cores (one), films, image_size, batch, set, data (where the checkpoint is written), saved.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.channel import Parent, Settings, settings
from benchmarks.programs.epochs import measure_ways

_SHUFFLED = 1024
"""Films in the buffer that is drawn from."""

_CLASSES = 15


class TensorFlowData:
    """One dataset, shuffled anew in each epoch; ``state`` is a checkpoint of the batch that a resume goes on from."""

    def __init__(self, given: Settings, state: str | None) -> None:
        self._given, self._state = given, state
        files = sorted(str(each) for each in Path(given["set"]).glob("*.tfrecord"))
        shuffled = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=0)
        records = shuffled.interleave(tf.data.TFRecordDataset, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        self._records = records.shuffle(_SHUFFLED, seed=0)
        self._whole = self._batches(self._records)

    def batches(self, first: int) -> Iterator[tuple[Any, Any]]:
        """The next epoch."""
        if first and not self._state:
            return iter(self._batches(self._records.skip(first * self._given["batch"])))
        batches = iter(self._whole)
        if first:
            tf.train.Checkpoint(iterator=batches).read(self._state)
        return batches

    def state_after(self, batches: int) -> str:
        """Writes a checkpoint, in the first epoch."""
        iterator = iter(self._whole)
        for _ in range(batches):
            next(iterator)
        given = self._given
        file = Path(given["data"]) / f"{given['films']}x{given['image_size']}-tfdata" / "iterator"
        file.parent.mkdir(exist_ok=True)
        return str(tf.train.Checkpoint(iterator=iterator).write(str(file)))

    def _batches(self, records: Any) -> Any:
        parsed = records.batch(self._given["batch"]).map(self._parsed, num_parallel_calls=tf.data.AUTOTUNE)
        return parsed.prefetch(tf.data.AUTOTUNE)

    def close(self) -> None:
        """Nothing outlives the iterator."""

    def _parsed(self, records: Any) -> tuple[Any, Any]:
        features = {
            "image/encoded": tf.io.FixedLenFeature([], tf.string),
            "label": tf.io.FixedLenFeature([_CLASSES], tf.float32),
        }
        found = tf.io.parse_example(records, features)
        side = self._given["image_size"]
        return tf.reshape(tf.io.decode_raw(found["image/encoded"], tf.uint8), [-1, side, side, 1]), found["label"]


def main() -> None:
    """With one thread a pool, as on one core."""
    given, parent = settings(), Parent()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    middle = given["films"] // given["batch"] // 2
    state = TensorFlowData(given, None).state_after(middle) if given["saved"] else None
    measure_ways(parent, given, lambda: TensorFlowData(given, state))


if __name__ == "__main__":
    main()
