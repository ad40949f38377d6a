"""Event files, read by TensorBoard's own reader: every step once, whatever attempts there were."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from tests.s3 import Bucket
from tests.unit.trackers.test_mlflow_server import TIME, epoch, step
from trainer.config import Config
from trainer.data.plan import random_key
from trainer.data.store.folder import FolderStore
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.errors import StoreDown
from trainer.step import Draw, as_augmented
from trainer.trackers import tensorboard
from trainer.trackers.tensorboard import TensorBoard

KEY = "a1" * 16


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder), size_guidance={IMAGES: 0})
    found.Reload()
    return found


def course(folder: Path, tag: str) -> list[tuple[int, float]]:
    return [(each.step, pytest.approx(each.value)) for each in events(folder).Scalars(tag)]


def board(folder: Path, key: str = KEY) -> TensorBoard:
    return TensorBoard(FolderStore(folder, "trackers.tensorboard.directory"), lambda: key)


def told(folder: Path, rows: Sequence[Any], key: str = KEY) -> None:
    attempt = board(folder, key)
    attempt.begin()
    attempt.tell(rows)
    attempt.end("finished")


def test_every_value_of_a_row_is_a_curve(tmp_path: Path) -> None:
    told(tmp_path, [step(10, learning_rate=0.5), step(20, learning_rate=0.25), epoch(1, 20, {"Mass": 0.75})])
    assert course(tmp_path, "train/loss") == [(10, 0.1), (20, 0.05)]
    assert course(tmp_path, "train/learning_rate") == [(10, 0.5), (20, 0.25)]
    assert course(tmp_path, "validation/auroc/Mass") == [(20, 0.75)]


def test_a_curve_has_the_time_at_which_things_happened(tmp_path: Path) -> None:
    told(tmp_path, [step(10), step(20)])
    assert [each.wall_time for each in events(tmp_path).Scalars("train/loss")] == [TIME + 10, TIME + 20]


def test_rows_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    attempt = board(tmp_path)
    attempt.begin()
    attempt.tell([step(10)])
    assert course(tmp_path, "train/loss") == [(10, 0.1)]


def test_what_a_resume_undoes_stands_in_no_curve(tmp_path: Path) -> None:
    killed = board(tmp_path)
    killed.begin()
    killed.tell([step(10), step(20), step(30, loss=9.0)])
    told(tmp_path, [step(10), step(20), step(30), step(40)])
    assert course(tmp_path, "train/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30), (40, 1 / 40)]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_in_between_leaves_no_step_twice(tmp_path: Path) -> None:
    attempt = board(tmp_path)
    attempt.begin()
    attempt.tell([step(10)])
    attempt.begin()
    attempt.tell([step(10), step(20)])
    attempt.end("finished")
    assert course(tmp_path, "train/loss") == [(10, 0.1), (20, 0.05)]


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    told(tmp_path, [step(10)], key="b2" * 16)
    (tmp_path / "notes").write_text("mine")
    told(tmp_path, [step(10)])
    told(tmp_path, [step(10)])
    assert len(list(tmp_path.glob("events*"))) == 2
    assert (tmp_path / "notes").exists()


@pytest.fixture
def films() -> Any:
    return np.random.default_rng(0).random((3, 8, 8, 1)).astype(np.float32)


def test_films_are_shown_as_they_are(tmp_path: Path, films: Any) -> None:
    attempt = board(tmp_path)
    attempt.begin()
    attempt.show(lambda: films)
    attempt.end("finished")
    found = events(tmp_path / "films")
    for number, film in enumerate(films):
        (image,) = found.Images(f"films/{number}")
        pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
        assert np.array_equal(pixels, np.rint(film[:, :, 0] * 255))


def test_films_outlive_the_attempt_that_showed_them(tmp_path: Path, films: Any) -> None:
    first = board(tmp_path)
    first.begin()
    first.show(lambda: films)
    told(tmp_path, [step(10)])
    assert len(events(tmp_path / "films").Images("films/0")) == 1


def test_a_run_that_begins_anew_shows_its_films_once(tmp_path: Path, films: Any) -> None:
    for _ in range(2):
        attempt = board(tmp_path)
        attempt.begin()
        attempt.show(lambda: films)
        attempt.end("failed")
    assert len(events(tmp_path / "films").Images("films/0")) == 1


def test_no_films_make_no_file(tmp_path: Path, films: Any) -> None:
    attempt = board(tmp_path)
    attempt.begin()
    attempt.show(lambda: films[:0])
    assert not (tmp_path / "films").exists() or not list((tmp_path / "films").iterdir())


def test_the_films_are_what_the_step_sees_of_the_first_slots() -> None:
    """Another rank's share, cut where this one's begins, has the same draws."""
    images = tf.constant(np.random.default_rng(0).integers(0, 256, (6, 16, 16, 1)), tf.uint8)
    config = Config.model_validate(
        {"train": {"global_batch_size": 6}, "trackers": {"tensorboard": {"films": 2}}, "model": {"name": "simple_cnn"}}
    )
    key = tf.constant(random_key(0, 0, 0, "augment"))
    whole = as_augmented(images, Draw(key, key, tf.constant(0)), with_films(config, 6))
    assert whole.shape == (6, 16, 16, 1)
    few = as_augmented(images[3:], Draw(key, key, tf.constant(3)), config)
    assert np.array_equal(few, whole[3:5])
    assert not np.array_equal(few, images[3:5].numpy() / 255.0)


def with_films(config: Config, films: int) -> Config:
    board = config.trackers.tensorboard.model_copy(update={"films": films})
    return config.model_copy(update={"trackers": config.trackers.model_copy(update={"tensorboard": board})})


class TestInAStore:
    @pytest.fixture
    def store(self, s3: Bucket) -> Store:
        return open_store(f"{s3.url}/boards", s3.config, "trackers.tensorboard.directory").under("run-a")

    def test_the_files_are_brought_there(self, store: Store, tmp_path: Path, films: Any) -> None:
        for rows in ([step(10), step(20, loss=9.0)], [step(10), step(20), step(30)]):
            attempt = TensorBoard(store, lambda: KEY)
            attempt.begin()
            attempt.tell(rows)
            attempt.show(lambda: films)
            attempt.end("finished")
        brought(store, tmp_path)
        assert course(tmp_path, "train/loss") == [(10, 0.1), (20, 0.05), (30, 1 / 30)]
        assert len(events(tmp_path / "films").Images("films/2")) == 1

    def test_they_are_brought_now_and_then(self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        attempt = TensorBoard(store, lambda: KEY)
        attempt.begin()
        attempt.tell([step(10)])
        attempt.tell([step(20)])
        brought(store, tmp_path / "soon")
        assert course(tmp_path / "soon", "train/loss") == [(10, 0.1)]
        monkeypatch.setattr(tensorboard, "UPLOAD_SECONDS", 0.0)
        attempt.tell([step(30)])
        brought(store, tmp_path / "later")
        assert [number for number, _ in course(tmp_path / "later", "train/loss")] == [10, 20, 30]

    def test_a_store_that_is_down_is_an_error_of_the_thread_alone(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        attempt = TensorBoard(store, lambda: KEY)
        attempt.begin()

        def down(*_: Any) -> None:
            raise StoreDown("trackers.tensorboard.directory", store.where, "does not answer", "wait")

        monkeypatch.setattr(store, "upload", down)
        with pytest.raises(StoreDown):
            attempt.tell([step(10)])


def brought(store: Store, to: Path) -> None:
    """Copies what the store holds into a folder."""
    for entry in store.entries():
        file = to / entry.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.read(entry.name))
