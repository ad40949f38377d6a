"""The records: what TensorFlow reads is what was written, and values lie where the encoder says."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data.film.images import encode
from trainer.data.shard.example import StoredFilm, encode_example
from trainer.data.shard.shards import ShardWriter, frame_film
from trainer.data.shard.tfrecord import frame
from trainer.data.store.folder import FolderStore
from trainer.demographics import Demographics, stored_demographics

FEATURES = {
    "id": tf.io.FixedLenFeature([], tf.string),
    "image/encoded": tf.io.FixedLenFeature([], tf.string),
    "image/format": tf.io.FixedLenFeature([], tf.string),
    "image/height": tf.io.FixedLenFeature([], tf.int64),
    "image/width": tf.io.FixedLenFeature([], tf.int64),
    "patient": tf.io.FixedLenFeature([], tf.string),
}

films = st.builds(
    StoredFilm,
    film=st.text(max_size=200),
    patient=st.text("0123456789abcdef", min_size=16, max_size=16),
    labels=st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=1, max_size=40).map(tuple),
    image=st.binary(max_size=70_000),
    encoding=st.sampled_from(["raw", "jpeg", "png"]),
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    demographics=st.builds(
        Demographics,
        sex=st.sampled_from(["", "F", "M", "O"]),
        age=st.none() | st.integers(0, 90),
        view=st.sampled_from(["", "PA", "AP", "lateral"]),
        unread=st.just(()),
    ),
)


@settings(max_examples=30)
@given(film=films)
def test_tensorflow_reads_every_field(film: StoredFilm) -> None:
    label = {"label": tf.io.FixedLenFeature([len(film.labels)], tf.float32)}
    parsed = tf.io.parse_single_example(encode_example(film).data, FEATURES | label)
    assert parsed["id"].numpy().decode() == film.film
    assert parsed["patient"].numpy().decode() == film.patient
    assert parsed["image/encoded"].numpy() == film.image
    assert parsed["image/format"].numpy().decode() == film.encoding
    assert (parsed["image/height"].numpy(), parsed["image/width"].numpy()) == (film.height, film.width)
    np.testing.assert_array_equal(parsed["label"].numpy(), np.array(film.labels, np.float32))


@settings(max_examples=30)
@given(film=films)
def test_tensorflow_reads_the_demographics_that_are_known_and_finds_no_others(film: StoredFilm) -> None:
    features = {
        "age": tf.io.FixedLenFeature([], tf.int64, -1),
        "sex": tf.io.FixedLenFeature([], tf.string, ""),
        "view": tf.io.FixedLenFeature([], tf.string, ""),
    }
    parsed = tf.io.parse_single_example(encode_example(film).data, features)
    age = int(parsed["age"].numpy())
    sex, view = (parsed[name].numpy().decode() for name in ("sex", "view"))
    assert stored_demographics(sex, age, view) == film.demographics


@settings(max_examples=30)
@given(film=films)
def test_the_image_lies_where_the_encoder_says(film: StoredFilm) -> None:
    data, image = encode_example(film)
    assert data[image.offset : image.offset + image.bytes] == film.image


@settings(max_examples=30)
@given(film=films)
def test_the_message_is_protocol_buffers_own_for_the_same_values(film: StoredFilm) -> None:
    parsed = tf.train.Example.FromString(encode_example(film).data)
    assert parsed.SerializeToString(deterministic=True) == encode_example(film).data


@settings(max_examples=20)
@given(records=st.lists(st.binary(max_size=3000), max_size=4))
def test_tensorflow_accepts_the_frames(tmp_path_factory: pytest.TempPathFactory, records: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("frames") / "frames.tfrecord"
    path.write_bytes(b"".join(map(frame, records)))
    assert [each.numpy() for each in tf.data.TFRecordDataset([str(path)])] == records


@pytest.mark.parametrize("encoding", ["raw", "jpeg", "png"])
def test_tensorflow_reads_a_shard_and_its_films(tmp_path: Path, encoding: str) -> None:
    rng = np.random.default_rng(0)
    images = [np.full((16, 24), rng.integers(256), np.uint8) for _ in range(5)]
    writer = ShardWriter(FolderStore(tmp_path, "test"), "shard-00000.tfrecord")
    for number, image in enumerate(images):
        stored = encode(image, encoding, 95)
        writer.append(frame_film(StoredFilm(f"{number}.png", "0" * 16, (0.0, 1.0), stored, encoding, 16, 24)))
    writer.close()
    records = list(tf.data.TFRecordDataset([str(tmp_path / "shard-00000.tfrecord")]))
    decode = {"raw": lambda data: tf.reshape(tf.io.decode_raw(data, tf.uint8), (16, 24, 1))}
    for image, record in zip(images, records, strict=True):
        parsed = tf.io.parse_single_example(record, FEATURES)
        found = decode.get(encoding, tf.io.decode_image)(parsed["image/encoded"])
        np.testing.assert_array_equal(found[..., 0], image)
