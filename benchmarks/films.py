"""Films to measure with: sets of shards, and folders of PNG files that cost what real ones do. Made once, then kept."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.result import FOLDER
from trainer.config import PhantomConfig, PrepareConfig
from trainer.data.film.images import Encoding, Pixels, encode
from trainer.data.prepare.merging import Contents, write_set
from trainer.data.prepare.tasks import films_per_shard
from trainer.data.shard.example import StoredFilm
from trainer.data.shard.manifest import MANIFEST_NAME, Made, ShardInfo
from trainer.data.shard.patients import hasher_from_environment
from trainer.data.shard.people import count_people
from trainer.data.shard.shards import ShardWriter, frame_film, shard_name
from trainer.data.source.phantom import draw
from trainer.data.source.record import Record
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Store
from trainer.labels import NIH15, NO_FINDING

DISTINCT = 32
"""Films that are drawn; a set holds them again and again under new names."""

_JPEG_QUALITY = 95


def stored(films: int, side: int, encoding: Encoding) -> Iterator[bytes]:
    """What the shards of ``film_set`` hold of each film, in their order; every one its own copy in memory."""
    distinct = [encode(each, encoding, _JPEG_QUALITY) for each in _drawn(side)]
    for number in range(films):
        yield bytes(bytearray(distinct[number % DISTINCT]))


def film_set(films: int, side: int, encoding: Encoding = "raw") -> Path:
    """The folder of a training set of so many films of nih15."""
    destination = FOLDER / "data" / f"{films}x{side}-{encoding}"
    directory = destination / "training"
    if (directory / MANIFEST_NAME).exists():
        return directory
    destination.mkdir(parents=True, exist_ok=True)
    store, config = FolderStore(directory, "benchmark"), PrepareConfig(image_size=side, encoding=encoding)
    records = [_record(number) for number in range(films)]
    shards = tuple(_write_shards(store, records, config))
    made = Made(program="benchmark", catalog="nih", seed=0, films_bad=0, films_missing=0)
    contents = Contents("training", shards, records, count_people(each.demographics for each in records), made)
    write_set(store, contents, config, NIH15, hasher_from_environment())
    return directory


def _write_shards(store: Store, records: list[Record], config: PrepareConfig) -> Iterator[ShardInfo]:
    hasher, side = hasher_from_environment(), config.image_size
    images = stored(len(records), side, config.encoding)
    size = films_per_shard(config)
    for number, start in enumerate(range(0, len(records), size)):
        writer = ShardWriter(store, shard_name(number))
        for record in records[start : start + size]:
            patient = hasher.hash(record.patient)
            film = StoredFilm(record.film, patient, record.labels, next(images), config.encoding, side, side)
            writer.append(frame_film(film))
        yield writer.close()


def png_films(films: int, side: int) -> tuple[Path, Path]:
    """A folder of PNG files and their table in NIH's form; the distinct ones under many names, as links.

    Grain is softened to a real film's: at 1024 px a file then has 414 kB (NIH's own: 417 kB) and decodes as fast.
    """
    folder = FOLDER / "data" / f"{films}x{side}-files"
    table = folder / "table.csv"
    if not table.exists():
        sources = _png_sources(side)
        (folder / "films").mkdir(parents=True, exist_ok=True)
        for number in range(films):
            link = folder / "films" / _record(number).film
            link.unlink(missing_ok=True)
            os.link(sources[number % DISTINCT], link)
        _write_table(table, films)
    return folder / "films", table


def raw_film_file(films: int, side: int) -> Path:
    """A file of the pixels of a raw ``film_set`` end to end: what can be read fastest."""
    file = FOLDER / "data" / f"{films}x{side}.pixels"
    if not file.exists() or file.stat().st_size != films * side * side:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.writelines(stored(films, side, "raw"))
    return file


def _drawn(side: int) -> list[Pixels]:
    config = PhantomConfig(image_size=side)
    return [draw(config, index)[0] for index in range(DISTINCT)]


def _png_sources(side: int) -> list[Path]:
    folder = FOLDER / "data" / f"png-{side}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.png" for number in range(DISTINCT)]
    if not all(each.exists() for each in files):
        for file, film in zip(files, _drawn(side), strict=True):
            file.write_bytes(encode(_softened(film), "png", _JPEG_QUALITY))
    return files


def _softened(film: Pixels) -> Pixels:
    side = len(film)
    smaller = Image.fromarray(film).resize((side * 700 // 1024,) * 2, Image.Resampling.BILINEAR)
    return np.asarray(smaller.resize((side, side), Image.Resampling.BICUBIC))


def _write_table(table: Path, films: int) -> None:
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Image Index", "Finding Labels", "Patient ID"))
        writer.writerows((record.film, NO_FINDING, record.patient) for record in map(_record, range(films)))


def _record(number: int) -> Record:
    labels = tuple(float(number % (3 + index) == 0) for index in range(len(NIH15.classes)))
    return Record(f"{number:08d}_000.png", str(number // 2), labels, "training")
