"""``cxr-train prepare`` on what people really have: each fault is one line with its cure, and exit code 3."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from trainer.cli import app

FILMS = [f"{number:08d}_000.png" for number in range(12)]


class Films:
    """A folder of twelve sound films of twelve patients, their table and their official lists."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.table = folder / "films", folder / "table.csv"
        self.training, self.test = folder / "train_val_list.txt", folder / "test_list.txt"
        self.folder.mkdir()
        for number, film in enumerate(FILMS):
            (self.folder / film).write_bytes(image("png", 40 + number))
        self.write_table([[film, "Mass|Edema", str(number)] for number, film in enumerate(FILMS)])
        self.training.write_text("\n".join(FILMS[:9]))
        self.test.write_text("\n".join(FILMS[9:]))

    def write_table(self, rows: list[list[str]], header: str = "Image Index,Finding Labels,Patient ID") -> None:
        with self.table.open("w", newline="") as file:
            csv.writer(file).writerows([header.split(","), *rows])

    def prepare(self, *assignments: str) -> tuple[int, list[str]]:
        values = {
            "source": self.folder,
            "table": self.table,
            "train_list": self.training,
            "test_list": self.test,
            "destination": self.folder.parent / "sets",
            "validation_fraction": 0,
            "image_size": 32,
            "processes": 1,
        }
        settings = [*(f"prepare.{key}={value}" for key, value in values.items()), *assignments]
        answer = CliRunner().invoke(app, ["prepare", *(part for each in settings for part in ("--set", each))])
        return answer.exit_code, answer.stderr.splitlines()


def image(form: str, level: int, side: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side), level, np.uint8)).save(buffer, form)
    return buffer.getvalue()


def put(content: bytes) -> Callable[[Films], None]:
    """Gives the fourth film other content."""
    return lambda films: (films.folder / FILMS[3]).write_bytes(content) and None


def missing_column(films: Films) -> None:
    films.write_table([[FILMS[0], "0"]], header="Image Index,Patient ID")


def unknown_label(films: Films) -> None:
    films.write_table([[FILMS[0], "Mass|Brocken", "0"]])


def duplicate(films: Films) -> None:
    films.write_table([[film, "Mass", "0"] for film in (FILMS[0], FILMS[1], FILMS[0])])


def absent(films: Films) -> None:
    (films.folder / FILMS[3]).unlink()


def empty_split(films: Films) -> None:
    films.test.write_text("")


def binary_list(films: Films) -> None:
    films.training.write_bytes(image("png", 1))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing_column, ("prepare.table: ", "Finding Labels")),
        (unknown_label, ("prepare.table row 2: ", "Brocken")),
        (duplicate, ("prepare.table: ", FILMS[0])),
        (absent, (FILMS[3], "prepare.on_missing_film")),
        (put(image("png", 1)[:-20]), (FILMS[3], "is a truncated PNG")),
        (put(image("jpeg", 1)[:-200]), (FILMS[3], "is a broken JPEG")),
        (put(b"Dear colleague"), (FILMS[3], "is neither PNG, JPEG nor DICOM")),
        (put(image("png", 1, side=1)), (FILMS[3], "has 1x1 pixels")),
        (put(b""), (FILMS[3], "is empty")),
        (empty_split, ("prepare.split: ", "test")),
        (binary_list, ("prepare.train_list: ", "is not text")),
    ],
)
def test_a_fault_is_one_line_with_its_cure(
    tmp_path: Path, spoil: Callable[[Films], None], words: tuple[str, ...]
) -> None:
    films = Films(tmp_path)
    spoil(films)
    code, lines = films.prepare()
    assert code == 3, lines
    assert len(lines) == 1, lines
    assert all(each in lines[0] for each in words), lines
    assert "; " in lines[0]


def test_sound_films_are_prepared(tmp_path: Path) -> None:
    code, lines = Films(tmp_path).prepare()
    assert code == 0, lines
    assert (tmp_path / "sets" / "test" / "manifest.json").exists()


def test_a_bad_film_may_be_skipped_and_is_counted(tmp_path: Path) -> None:
    films = Films(tmp_path)
    put(b"Dear colleague")(films)
    code, lines = films.prepare("prepare.on_bad_film=skip")
    assert code == 0, lines
    assert any("1 bad" in line for line in lines), lines
