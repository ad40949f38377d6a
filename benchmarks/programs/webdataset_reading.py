"""The same films as tar files into batches, by webdataset, which checks no film.

As its documentation says: shards and then films shuffled (the latter in a buffer), batched in the pipeline, a WebLoader
with ``batch_size=None``. It has no state: a resume shuffles as before and skips what was read, before it is decoded.
Run by the peers' own interpreter. Settings: cores (one), films, image_size, batch, pixels and labels (files of all
films, end to end), data (where the shards are made), workers (of the loader).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset

from benchmarks.channel import Parent, Settings, settings
from benchmarks.programs.epochs import films_of, made, measure_ways

_SHUFFLED = 1000
"""Films in the buffer that is drawn from, as in its documentation."""

_FILMS_PER_SHARD = 1024


class WebDataset:
    """A pipeline an epoch, with the epoch as its seed."""

    def __init__(self, given: Settings, folder: Path) -> None:
        self._given, self._epoch = given, 0
        self._shards = sorted(str(each) for each in folder.glob("*.tar"))

    def batches(self, first: int) -> Iterator[tuple[Any, Any]]:
        """The next epoch."""
        batch, seed = self._given["batch"], self._epoch
        self._epoch += 1
        films = webdataset.WebDataset(self._shards, shardshuffle=len(self._shards), seed=seed, empty_check=False)
        shuffled = films.shuffle(_SHUFFLED, seed=seed).slice(first * batch, None)
        batches = shuffled.map(self._decoded).batched(batch)
        return iter(webdataset.WebLoader(batches, batch_size=None, num_workers=self._given["workers"]))

    def close(self) -> None:
        """Nothing outlives the iterator."""

    def _decoded(self, film: dict[str, Any]) -> tuple[Any, Any]:
        side = self._given["image_size"]
        image = np.frombuffer(film["pixels"], np.uint8).reshape(side, side)
        return image, np.frombuffer(film["labels"], np.float32)


def main() -> None:
    """With one thread, as on one core."""
    given, parent = settings(), Parent()
    torch.set_num_threads(1)
    name = f"{given['films']}x{given['image_size']}-tar"
    folder = made(Path(given["data"]) / name, lambda to: _write(given, to))
    measure_ways(parent, given, lambda: WebDataset(given, folder))


def _write(given: Settings, folder: Path) -> None:
    folder.mkdir(parents=True)
    with webdataset.ShardWriter(f"{folder}/%05d.tar", maxcount=_FILMS_PER_SHARD, verbose=0) as writer:
        for number, (image, findings) in enumerate(zip(*films_of(given), strict=True)):
            writer.write({"__key__": f"{number:08d}", "pixels": image.tobytes(), "labels": findings.tobytes()})


if __name__ == "__main__":
    main()
