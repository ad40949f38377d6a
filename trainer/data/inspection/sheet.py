"""A contact sheet: films drawn at random, under each its findings; no name, no patient."""

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from trainer.data.film.images import Pixels, decode_stored
from trainer.data.inspection.sets import PreparedSet
from trainer.data.shard.index import index_name
from trainer.data.shard.shard import check_index
from trainer.errors import DataError

FILMS_PER_SET = 24

_COLUMNS = 6
# Pixels.
_TILE, _GAP, _LINE, _HEADER = 192, 8, 14, 32
_LINES_BELOW, _LETTERS_A_LINE = 3, 30
_BACKGROUND, _INK = 24, 230


class SheetFilm(NamedTuple):
    """A film of a set: uint8 [height, width], and what is written under it."""

    image: Pixels
    caption: str


def contact_sheet(sets: Sequence[PreparedSet], seed: int) -> bytes:
    """A PNG of up to ``FILMS_PER_SET`` films of each set; the same for the same seed.

    Reads the index of the shards that these films are in, and of the shards their images alone.
    Raises DataError if an index or a film is not what it should be.
    """
    drawn = {each.manifest.split: draw_films(each, seed) for each in sets}
    height = sum(_HEADER + _rows(films) * _row_height() for films in drawn.values()) + _GAP
    sheet = Image.new("L", (_COLUMNS * (_TILE + _GAP) + _GAP, height), _BACKGROUND)
    top = _GAP
    for each in sets:
        films = drawn[each.manifest.split]
        title = f"{each.manifest.split}: {len(films)} of {each.manifest.films} films"
        ImageDraw.Draw(sheet).text((_GAP, top), title, fill=_INK, font=ImageFont.load_default(18))
        _paste(sheet, films, top + _HEADER)
        top += _HEADER + _rows(films) * _row_height()
    content = io.BytesIO()
    sheet.save(content, "png")
    return content.getvalue()


def draw_films(given: PreparedSet, seed: int, count: int = FILMS_PER_SET) -> list[SheetFilm]:
    """Films drawn from a set, without one twice, in the set's order."""
    films = given.manifest.films
    chosen = np.sort(np.random.default_rng(seed).choice(films, min(count, films), replace=False))
    ends = np.cumsum([shard.records for shard in given.manifest.shards])
    of_shard = np.searchsorted(ends, chosen, side="right")
    return [
        film
        for shard in np.unique(of_shard).tolist()
        for film in _read(given, shard, (chosen[of_shard == shard] - ends[shard]).tolist())
    ]


def _read(given: PreparedSet, shard: int, records_from_end: Sequence[int]) -> Iterator[SheetFilm]:
    store, manifest = given
    info, image = manifest.shards[shard], manifest.image
    where = f"{store.where}/{index_name(info.name)}"
    index = check_index(store.read(index_name(info.name)), info.index_sha256, where)
    records = [info.records + each for each in records_from_end]
    contents = store.read_ranges(info.name, index.images(records))
    for content, labels in zip(contents, index.labels[records], strict=True):
        pixels = np.empty((image.height, image.width), np.uint8)
        try:
            decode_stored(content, image.encoding, pixels)
        except (ValueError, OSError) as error:
            rule = f"holds a film in {info.name} that cannot be decoded"
            raise DataError(store.key, store.where, rule, "run it without --no-verify") from error
        yield SheetFilm(pixels, _caption(labels, manifest.classes))


def _caption(labels: npt.NDArray[np.float32], classes: Sequence[str]) -> str:
    present = [name.replace("_", " ") for name, label in zip(classes, labels, strict=True) if label == 1]
    if present:
        return ", ".join(present)
    return "labels unknown" if np.isnan(labels).all() else "none of the findings"


def _paste(sheet: Image.Image, films: Sequence[SheetFilm], top: int) -> None:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, film in enumerate(films):
        left = _GAP + number % _COLUMNS * (_TILE + _GAP)
        upper = top + number // _COLUMNS * _row_height()
        sheet.paste(Image.fromarray(film.image).resize((_TILE, _TILE), Image.Resampling.BILINEAR), (left, upper))
        lines = textwrap.wrap(film.caption, _LETTERS_A_LINE, max_lines=_LINES_BELOW, placeholder=" ...")
        for line, text in enumerate(lines):
            draw.text((left, upper + _TILE + 2 + line * _LINE), text, fill=_INK, font=font)


def _rows(films: Sequence[SheetFilm]) -> int:
    return math.ceil(len(films) / _COLUMNS)


def _row_height() -> int:
    return _TILE + _LINES_BELOW * _LINE + _GAP
