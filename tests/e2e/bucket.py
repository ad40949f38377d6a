"""A place of its own in a bucket, with films to prepare: NIH's where they are at hand, else phantoms."""

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from trainer.config import PhantomConfig, StoreConfig
from trainer.data.source.phantom import write_phantoms
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store

VARIABLE = "CXR_TRAIN_E2E_BUCKET"
"""A bucket's address, such as s3://films: one that pods reach with this process's own AWS_... variables."""

NIH = Path(__file__).parents[3] / "shared" / "data" / "nih"
_TRAIN_LIST, _TEST_LIST, _TABLE = "train_val_list.txt", "test_list.txt", "Data_Entry.csv"
_FILMS = {_TRAIN_LIST: 270, _TEST_LIST: 90}


class Bucket:
    """What a scenario puts under ``address``, and finds there; all of it is deleted at the end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.store: Store = open_store(address, StoreConfig(), VARIABLE)

    @property
    def credentials(self) -> dict[str, str]:
        """The variables with which pods reach it."""
        return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    def prepare_settings(self) -> dict[str, object]:
        """``training.prepare`` for the films that are there."""
        raw = f"{self.address}/raw"
        return {
            "source": [f"{raw}/images"],
            "table": f"{raw}/{_TABLE}",
            "train_list": f"{raw}/{_TRAIN_LIST}",
            "test_list": f"{raw}/{_TEST_LIST}",
            "destination": f"{self.address}/set",
        }

    def names(self, folder: str) -> list[str]:
        """The objects below a folder, by their names in it."""
        return [each.name.removeprefix(f"{folder}/") for each in self.store.entries(folder)]

    def put_films(self, folder: Path) -> int:
        """Raw films and their tables; how many films. ``folder`` is for phantoms, where NIH's are not at hand."""
        films = list(_of_nih(self.store) if NIH.is_dir() else _phantoms(self.store, folder))
        for film in films:
            self.store.upload(f"raw/images/{film.name}", film)
        return len(films)


def _of_nih(store: Store) -> Iterator[Path]:
    """Films of both official lists, in the order of their names; the tables are cut down to them."""
    there = {each.stem: each for each in sorted((NIH / "images_256").iterdir())}
    chosen: set[str] = set()
    for name, count in _FILMS.items():
        listed = [each for each in (NIH / name).read_text().split() if Path(each).stem in there][:count]
        store.write(f"raw/{name}", "\n".join(listed).encode())
        chosen.update(listed)
    with gzip.open(NIH / "Data_Entry_2017_v2020.csv.gz", "rt", newline="") as file:
        header, *rows = csv.reader(file)
    store.write(f"raw/{_TABLE}", _csv([header, *(row for row in rows if row[0] in chosen)]))
    return (there[Path(name).stem] for name in sorted(chosen))


def _phantoms(store: Store, folder: Path) -> Sequence[Path]:
    drawn = write_phantoms(PhantomConfig(films=sum(_FILMS.values()), image_size=64), folder, lambda _: None)
    for name, file in {_TABLE: drawn.table, _TRAIN_LIST: drawn.train_list, _TEST_LIST: drawn.test_list}.items():
        store.upload(f"raw/{name}", file)
    return sorted(drawn.films.iterdir())


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
