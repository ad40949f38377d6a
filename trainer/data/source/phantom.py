"""Phantom films with known signs, and the tables NIH gives with its own: everything can be tried without a patient."""

import csv
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer.config import PhantomConfig
from trainer.data.film.images import Pixels, encode
from trainer.data.prepare.workers import map_in_order
from trainer.data.source.phantom_film import draw_film
from trainer.durable import write_durably
from trainer.errors import DataError
from trainer.labels import NO_FINDING

SETTINGS_NAME = "phantom.json"

_HEADER = (
    *("Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position"),
    *("OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]"),
)
_TEST_EVERY = 4
"""Of so many patients, one is in the test list."""

_FILMS_PER_CHUNK = 64


class Phantoms(NamedTuple):
    """Where phantoms and their tables are: settings for ``prepare``."""

    films: Path
    table: Path
    train_list: Path
    test_list: Path


class _Row(NamedTuple):
    film: str
    findings: tuple[str, ...]
    patient: int
    follow_up: int


def draw(config: PhantomConfig, index: int) -> tuple[Pixels, tuple[str, ...]]:
    """Film number ``index``, uint8 [side, side], and its findings: the same for the same seed, size and index."""
    return draw_film(np.random.default_rng((config.seed, index)), config.image_size)


def write_phantoms(
    config: PhantomConfig, directory: Path, progress: Callable[[int], None], *, processes: int = 0
) -> Phantoms:
    """Writes the films as PNG, ``Data_Entry.csv`` in NIH's columns, and the two lists of the official split.

    Does nothing if they are there; an interrupted run is done again.

    Args:
        config: number, size and seed.
        directory: made if it is not there.
        progress: called with the number of films since the last call.
        processes: that draw; 0: one a core.

    Raises:
        DataError: ``directory`` holds phantoms of other settings.
    """
    phantoms = Phantoms(
        *(directory / name for name in ("films", "Data_Entry.csv", "train_val_list.txt", "test_list.txt"))
    )
    if _is_done(config, directory):
        progress(config.films)
        return phantoms
    phantoms.films.mkdir(parents=True, exist_ok=True)
    starts = range(0, config.films, _FILMS_PER_CHUNK)
    chunks = (range(start, min(start + _FILMS_PER_CHUNK, config.films)) for start in starts)
    rows: list[_Row] = []
    write = partial(_write_films, config=config, directory=phantoms.films)
    for chunk in map_in_order(write, chunks, processes):
        rows += chunk
        progress(len(chunk))
    _write_tables(phantoms, rows, config)
    write_durably(directory / SETTINGS_NAME, config.model_dump_json().encode())
    return phantoms


def _is_done(config: PhantomConfig, directory: Path) -> bool:
    path = directory / SETTINGS_NAME
    if path.is_file() and path.read_text() != config.model_dump_json():
        rule = f"holds phantoms drawn with other settings, {path.read_text()}"
        raise DataError("phantom", str(directory), rule, "remove the folder, name another, or use the same settings")
    return path.is_file()


def _write_films(indices: Sequence[int], config: PhantomConfig, directory: Path) -> list[_Row]:
    rows = []
    for index in indices:
        image, findings = draw(config, index)
        patient, follow_up = index // config.films_per_patient + 1, index % config.films_per_patient
        rows.append(_Row(f"{patient:08d}_{follow_up:03d}.png", findings, patient, follow_up))
        (directory / rows[-1].film).write_bytes(encode(image, "png", jpeg_quality=0))
    return rows


def _write_tables(phantoms: Phantoms, rows: Sequence[_Row], config: PhantomConfig) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows(_nih_row(row, config.image_size) for row in rows)
    write_durably(phantoms.table, text.getvalue().encode())
    for path, wanted in ((phantoms.test_list, True), (phantoms.train_list, False)):
        films = [row.film for row in rows if (row.patient % _TEST_EVERY == 0) == wanted]
        write_durably(path, "\n".join(films).encode())


def _nih_row(row: _Row, side: int) -> tuple[str | int | float, ...]:
    findings = "|".join(row.findings) or NO_FINDING
    age, gender = 20 + row.patient % 60, "FM"[row.patient % 2]
    return (row.film, findings, row.follow_up, row.patient, age, gender, "PA", side, side, 0.143, 0.143)
