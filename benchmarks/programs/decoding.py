"""The bare work of preparing films: PNG files read, decoded and resized on all given cores, and thrown away.

Settings: cores, folder, image_size.
"""

import multiprocessing
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.channel import Parent, serve, settings
from trainer.data.film.images import decode, resize

_FILMS_PER_CHUNK = 16


def main() -> None:
    """Decodes the whole folder at each request; the processes are there before."""
    given, parent = settings(), Parent()
    files = sorted(Path(given["folder"]).iterdir())
    chunks = [files[start : start + _FILMS_PER_CHUNK] for start in range(0, len(files), _FILMS_PER_CHUNK)]
    work = partial(decode_and_resize, side=given["image_size"])
    with multiprocessing.get_context("spawn").Pool(len(given["cores"])) as pool:

        def measure() -> dict[str, float]:
            began = time.perf_counter()
            films = sum(pool.imap_unordered(work, chunks))
            return {"films": films, "seconds": time.perf_counter() - began}

        pool.map(work, chunks[: len(given["cores"])], chunksize=1)
        serve(parent, measure)


def decode_and_resize(files: Sequence[Path], side: int) -> int:
    """How many films that were."""
    for file in files:
        resize(decode(file.read_bytes(), name=file.name, minimum_side=1), side)
    return len(files)


if __name__ == "__main__":
    main()
