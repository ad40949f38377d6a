"""A process's part: films are read side by side, ahead of decoding; faults of films and of stores are told apart."""

import io
import threading
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

from trainer.config import DicomConfig, StoreConfig
from trainer.data.prepare import decoding
from trainer.data.prepare.decoding import DecodedFilm, FilmTask, ShardEnd, Storage, Work, decode_chunk
from trainer.data.prepare.tasks import ShardKey
from trainer.data.source.sources import Place
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import NotThere, Store

KEY = ShardKey("training", 0)
WORK = Work(("films",), StoreConfig(), Storage(16, "raw", 95, 8, DicomConfig(), ()))


def png(level: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16), level, np.uint8)).save(file, "png")
    return file.getvalue()


def task(number: int) -> FilmTask:
    return FilmTask(KEY, f"{number}.png", "0" * 16, (1.0,), Place(0, f"{number}.png"))


class Waiting(FolderStore):
    """Answers no read before two wait at once."""

    def __init__(self) -> None:
        super().__init__(Path(), "prepare.source")
        self._first, self._two = threading.Lock(), threading.Event()

    def read(self, name: str) -> bytes:
        # Only the first to come gets the lock, which nobody gives back.
        if not self._first.acquire(blocking=False):
            self._two.set()
        assert self._two.wait(10), "no read came beside the first"
        return png(int(name.partition(".")[0]))


def decode(store: Store, *steps: FilmTask | ShardEnd) -> list[object]:
    with patch.object(decoding, "_store", lambda *_: store):
        return list(decode_chunk(steps, WORK))


def test_films_are_read_side_by_side_and_come_in_order() -> None:
    results = decode(Waiting(), *map(task, range(10)), ShardEnd(KEY))
    assert results[-1] == ShardEnd(KEY)
    films = [each for each in results if isinstance(each, DecodedFilm)]
    assert [each.film for each in films] == [f"{number}.png" for number in range(10)]
    for number, film in enumerate(films):
        assert film.framed is not None
        start, end = film.framed.row.image
        assert film.framed.record[start:end] == bytes([number]) * 256


def test_a_film_that_is_gone_is_no_bad_film(tmp_path: Path) -> None:
    with pytest.raises(NotThere, match=r"0.png' is not there"):
        decode(FolderStore(tmp_path, "prepare.source"), task(0))


def test_bytes_that_are_no_film_are_the_films_fault(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"Dear colleague")
    (film,) = decode(FolderStore(tmp_path, "prepare.source"), task(0))
    assert film == DecodedFilm(KEY, "0.png", None, fault="is neither PNG, JPEG nor DICOM")
