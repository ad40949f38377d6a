"""The pipeline: batches hold the films the plan names, on any rank and after a resume; damage is told in one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf

from trainer.config import DataConfig
from trainer.data.evidence import Evidence, checksum
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import Batch, scoring_batches, training_batches
from trainer.data.plan import EpochPlan
from trainer.data.shard.shards import shard_name
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError

Stored = dict[tuple[int, int], tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]

CONFIG = DataConfig()


@pytest.fixture(scope="module")
def films(small_sets: Path) -> FilmSet:
    return FilmSet.open(FolderStore(small_sets / "training", "data.training"))


@pytest.fixture(scope="module")
def stored(small_sets: Path) -> Stored:
    """Every film and its labels by (shard, record), as TensorFlow's own reader and parser see them."""
    form = {"image/encoded": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([15], tf.float32)}
    found = {}
    for number, file in enumerate(sorted((small_sets / "training").glob("*.tfrecord"))):
        for record, serialized in enumerate(tf.data.TFRecordDataset(str(file))):
            example = tf.io.parse_single_example(serialized, form)
            image = np.frombuffer(example["image/encoded"].numpy(), np.uint8).reshape(32, 32)
            found[number, record] = image, example["label"].numpy()
    return found


def plan_of(films: FilmSet, batch_size: int = 32) -> EpochPlan:
    return EpochPlan(films.records_per_shard, seed=1, epoch=2, global_batch_size=batch_size, window_shards=2)


def read(films: FilmSet, plan: EpochPlan, slots: range, *, first: int = 0, config: DataConfig = CONFIG) -> list[Batch]:
    return list(training_batches(films, plan, slots, first_batch=first, config=config))


def same(a: Batch, b: Batch) -> bool:
    return all(np.array_equal(x.numpy(), y.numpy(), equal_nan=True) for x, y in zip(a, b, strict=True))


def test_a_batch_is_still_uint8_with_one_channel(films: FilmSet) -> None:
    batch = read(films, plan_of(films), range(32))[0]
    assert (batch.images.dtype, batch.images.shape) == (tf.uint8, (32, 32, 32, 1))
    assert (batch.labels.dtype, batch.labels.shape) == (tf.float32, (32, 15))
    assert (batch.weights.dtype, batch.weights.shape) == (tf.float32, (32,))


def test_an_epochs_batches_hold_the_films_the_plan_names(films: FilmSet, stored: Stored) -> None:
    plan, mine = plan_of(films), range(8, 24)
    batches = read(films, plan, mine)
    assert len(batches) == plan.batches
    for number, batch in enumerate(batches):
        slots = plan.slots(number, mine)
        for row, place in enumerate(zip(slots.shard.tolist(), slots.record.tolist(), strict=True)):
            image, labels = stored[place]
            assert np.array_equal(batch.images[row, :, :, 0], image)
            assert np.array_equal(batch.labels[row], labels)
        assert np.array_equal(batch.weights, slots.weight)


def test_ranks_bring_the_parts_of_the_whole_batch(films: FilmSet) -> None:
    plan = plan_of(films)
    for whole, *parts in zip(*(read(films, plan, mine) for mine in (range(32), range(16), range(16, 32))), strict=True):
        joined = Batch(*(tf.concat(each, axis=0) for each in zip(*parts, strict=True)))
        assert same(whole, joined)


def test_a_resume_reads_the_rest_of_the_epoch(films: FilmSet) -> None:
    plan = plan_of(films)
    whole, rest = read(films, plan, range(32)), read(films, plan, range(32), first=3)
    assert len(rest) == plan.batches - 3
    assert all(same(a, b) for a, b in zip(whole[3:], rest, strict=True))


def test_an_epoch_that_is_over_has_no_more_batches(films: FilmSet) -> None:
    plan = plan_of(films)
    assert read(films, plan, range(32), first=plan.batches) == []


def test_several_readers_keep_the_order(films: FilmSet) -> None:
    plan = plan_of(films, 8)
    alone, together = read(films, plan, range(8)), read(films, plan, range(8), config=DataConfig(reader_threads=4))
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


def test_scoring_takes_the_films_in_the_sets_order(films: FilmSet, stored: Stored) -> None:
    batches = list(scoring_batches(films, range(10), batch_size=16, config=CONFIG))
    images = np.concatenate([each.images.numpy() for each in batches])[:150, :, :, 0]
    assert np.array_equal(images, [image for image, _ in stored.values()])
    assert np.array_equal(np.concatenate([each.labels.numpy() for each in batches])[:150], films.labels())


def test_a_set_tells_its_labels_names_and_patients_in_its_order(films: FilmSet, stored: Stored) -> None:
    assert np.array_equal(films.labels(), [labels for _, labels in stored.values()])
    assert films.ids() == [f"{number:08d}.png" for number in range(150)]
    assert len(set(films.patients())) == films.manifest.patients == 75


def test_equal_sets_have_equal_digests_and_others_do_not(small_sets: Path, films: FilmSet) -> None:
    assert FilmSet.open(FolderStore(small_sets / "training", "data.training")).digest == films.digest
    assert FilmSet.open(FolderStore(small_sets / "validation", "data.validation")).digest != films.digest


DAMAGE = (
    r"shard-00001.tfrecord: ('.{12}' is not the SHA-256 in the manifest,|'record \d+' is not what its checksum) [^\n]*$"
)


@pytest.fixture
def damaged(make_set: Callable[..., Path], tmp_path: Path) -> FilmSet:
    """A set with one changed byte in its last shard."""
    folder = make_set(tmp_path / "training", "training", 40, films_per_shard=20)
    file = folder / shard_name(1)
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    return FilmSet.open(FolderStore(folder, "data.training"))


def test_a_changed_byte_in_a_shard_stops_training_in_one_line(damaged: FilmSet) -> None:
    with pytest.raises(DataError, match=DAMAGE):
        read(damaged, plan_of(damaged, 8), range(8))


def test_a_changed_byte_in_a_shard_stops_scoring_in_one_line(damaged: FilmSet) -> None:
    with pytest.raises(DataError, match=DAMAGE):
        list(scoring_batches(damaged, range(5), batch_size=8, config=CONFIG))


def test_batches_before_the_damage_are_still_read(damaged: FilmSet) -> None:
    batches = scoring_batches(damaged, range(5), batch_size=8, config=DataConfig(prefetch_batches=1))
    assert len([next(batches), next(batches)]) == 2


def test_a_shard_that_went_missing_is_named(damaged: FilmSet) -> None:
    damaged.store.path(shard_name(0)).unlink()
    with pytest.raises(DataError, match=r"shard-00000.tfrecord.* is (not there|.* missing or empty)"):
        list(scoring_batches(damaged, range(1), batch_size=8, config=CONFIG))


def test_each_batch_comes_with_evidence_of_the_films_in_it(films: FilmSet, stored: Stored) -> None:
    told: list[Evidence] = []
    plan, mine = plan_of(films), range(8, 16)
    batches = training_batches(films, plan, mine, first_batch=1, config=CONFIG, delivered=told.append)
    for number, batch in enumerate(batches, start=1):
        assert len(told) == number
        slots, pixels = told[-1]
        places = list(zip(slots.shard.tolist(), slots.record.tolist(), strict=True))
        assert [checksum(each) for each in batch.images.numpy()] == pixels.tolist()
        assert [checksum(stored[place][0]) for place in places] == pixels.tolist()
        assert np.array_equal(batch.weights, slots.weight)
