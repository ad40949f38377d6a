"""Event files of a run: written anew from the history by each attempt, so that nothing stands in them twice."""

import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from trainer.checkpoint.history import Row
from trainer.data.store.store import Store
from trainer.trackers.event_file import EventFile
from trainer.trackers.rows import values
from trainer.trackers.tracker import Outcome, Pictures, Tracker

FILMS = "films"
"""Folder of the pictures: TensorBoard follows the newest file of a folder only."""

UPLOAD_SECONDS = 30.0


class TensorBoard(Tracker):
    """Scalars in a run's folder, pictures of films in ``films/`` below it.

    Args:
        store: the run's folder. To one that is not of this machine, files are brought now and then.
        key: of the run, asked when it is needed. Files of other runs in the folder are left alone.
    """

    name: ClassVar[str] = "TensorBoard"
    _file: EventFile

    def __init__(self, store: Store, key: Callable[[], str]) -> None:
        self._store, self._key = store, key
        self._folder = Path(store.where)
        if not store.is_local:
            self._folder = Path(tempfile.mkdtemp(prefix="cxr-train-events-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._begun = False
        self._uploaded = float("-inf")

    def begin(self) -> None:
        """Begins a file; that of the attempt before goes once this one has its rows."""
        if self._begun:
            self._file.abandon()
        self._suffix = f".{self._key()}"
        self._old = self._files("")
        self._file = EventFile(_made(self._folder), self._suffix)
        self._begun = True

    def tell(self, rows: Sequence[Row]) -> None:
        """Adds the rows' values at their steps."""
        for row in rows:
            self._file.scalars(values(row), step=row["step"], time=row.get("time", time.time()))
        self._file.flush()
        if time.monotonic() > self._uploaded + UPLOAD_SECONDS:
            self._upload()

    def show(self, pictures: Pictures) -> None:
        """A file of pictures, at step 0, in place of one that an earlier attempt began with."""
        films, old = pictures(), self._files(FILMS)
        if not len(films):
            return
        file = EventFile(_made(self._folder / FILMS), self._suffix)
        file.images(films, FILMS, step=0, time=time.time())
        file.close()
        self._bring(file.path, f"{FILMS}/{file.path.name}")
        self._store.delete(old)

    def end(self, outcome: Outcome) -> None:
        """Closes the file; how the run ended is not told."""
        del outcome
        self._file.close()
        self._upload()

    def _upload(self) -> None:
        self._bring(self._file.path, self._file.path.name)
        self._store.delete(self._old)
        self._old = []
        self._uploaded = time.monotonic()

    def _bring(self, file: Path, name: str) -> None:
        if not self._store.is_local:
            self._store.upload(name, file)

    def _files(self, folder: str) -> list[str]:
        """Names of this run's event files directly in a folder of the store."""
        entries = (each.name for each in self._store.entries(folder))
        return [each for each in entries if each.rpartition("/")[0] == folder and each.endswith(self._suffix)]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
