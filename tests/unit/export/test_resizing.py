"""Films are resized inside what is exported to the very bytes that ``prepare`` stores."""

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from onnxruntime import InferenceSession

from trainer.data.film.images import resize as stored
from trainer.export import onnx_resizing
from trainer.export.onnx_graph import Graph, tensor
from trainer.export.resizing import resize

SIDE = 32
ANY = [None, None, None, 1]

# As is, padded, enlarged, a single pixel, and reduced by a factor that divides, and one that does not.
SIZES = [
    (32, 32),
    (27, 32),
    (31, 17),
    (1, 1),
    (1, 90),
    (64, 64),
    (65, 63),
    (128, 100),
    (401, 500),
    (333, 334),
    (700, 9),
]


@pytest.fixture(scope="module")
def in_tensorflow():
    graph = tf.function(lambda films: resize(films, SIDE), input_signature=[tf.TensorSpec(ANY, tf.uint8)])
    return lambda films: graph(films).numpy()[..., 0]


@pytest.fixture(scope="module")
def in_onnx():
    graph = Graph()
    graph.output(onnx_resizing.resize(graph, "films", SIDE), "stored")
    films = tensor("films", "uint8", ["films", "height", "width", 1])
    model = graph.model("resizing", [films], [tensor("stored", "float32", ["films", 1, SIDE, SIDE])], {})
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda films: session.run(None, {"films": films})[0][:, 0]


def films_of(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Noise, where every rounding tells, and a film of black and white."""
    random = np.random.default_rng([height, width])
    noise = random.integers(0, 256, (height, width), dtype=np.uint8)
    return np.stack([noise, np.where(noise > 127, 255, 0).astype(np.uint8)])[..., np.newaxis]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("way", ["in_tensorflow", "in_onnx"])
def test_films_of_any_size_become_what_a_set_stores(size: tuple[int, int], way: str, request) -> None:
    films = films_of(*size)
    expected = np.stack([stored(film, SIDE) for film in films[..., 0]])
    np.testing.assert_array_equal(request.getfixturevalue(way)(films), expected)


@pytest.mark.parametrize("way", ["in_tensorflow", "in_onnx"])
def test_a_film_of_the_right_size_is_left_as_it_is(way: str, request) -> None:
    films = films_of(SIDE, SIDE)
    np.testing.assert_array_equal(request.getfixturevalue(way)(films), films[..., 0])


@pytest.mark.parametrize("way", ["in_tensorflow", "in_onnx"])
def test_any_size_is_resized_alike(way: str, request) -> None:
    random = np.random.default_rng(0)
    for height, width in random.integers(1, 400, (25, 2)).tolist():
        test_films_of_any_size_become_what_a_set_stores((height, width), way, request)
