"""The same films as MDS shards into batches, by mosaicml-streaming, which checks no hash unless told to.

As its guide says: a StreamingDataset that is told the batch size, and its StreamingDataLoader, whose state a resume
loads. Run by the peers' own interpreter. Settings: cores (one), films, image_size, batch, pixels and labels (files of
all films, end to end), data (where the shards are made), workers (of the loader).
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from streaming import MDSWriter, StreamingDataLoader, StreamingDataset

from benchmarks.channel import Parent, Settings, settings
from benchmarks.programs.epochs import films_of, made, measure_ways


class Streaming:
    """A set that lies in a folder; ``state`` is a checkpoint's, of the batch that a resume goes on from."""

    def __init__(self, given: Settings, folder: Path, state: dict[str, Any]) -> None:
        batch = given["batch"]
        self._state = state
        self._dataset = StreamingDataset(local=str(folder), shuffle=True, batch_size=batch)
        self._loader = StreamingDataLoader(self._dataset, batch_size=batch, num_workers=given["workers"])

    def batches(self, first: int) -> Iterator[tuple[Any, Any]]:
        """The next epoch."""
        if first:
            self._loader.load_state_dict(self._state)
        for each in self._loader:
            yield each["image"], each["labels"]

    def state_after(self, batches: int) -> dict[str, Any]:
        """What a checkpoint would hold."""
        rest = iter(self._loader)
        for _ in islice(rest, batches):
            pass
        state: dict[str, Any] = self._loader.state_dict()
        # Its threads end with the epoch.
        for _ in rest:
            pass
        return state

    def close(self) -> None:
        """Nothing outlives an epoch that was read to its end."""


def main() -> None:
    """With one thread, as on one core."""
    given, parent = settings(), Parent()
    torch.set_num_threads(1)
    name = f"{given['films']}x{given['image_size']}-mds"
    folder = made(Path(given["data"]) / name, lambda to: _write(given, to))
    state = Streaming(given, folder, {}).state_after(given["films"] // given["batch"] // 2)
    measure_ways(parent, given, lambda: Streaming(given, folder, state))


def _write(given: Settings, folder: Path) -> None:
    side = given["image_size"]
    images, labels = films_of(given)
    columns = {"image": f"ndarray:uint8:{side},{side}", "labels": f"ndarray:float32:{labels.shape[1]}"}
    with MDSWriter(out=str(folder), columns=columns) as writer:
        for image, findings in zip(images, labels, strict=True):
            writer.write({"image": image, "labels": findings})


if __name__ == "__main__":
    main()
