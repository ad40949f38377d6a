"""Each form gives the trainer's own scores, for every network and every option of it."""

import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.unit.export.conftest import CLASSES, SIDE
from trainer import settings
from trainer.collectives import SingleRank
from trainer.config import ModelConfig
from trainer.errors import DataError, UsageError
from trainer.export import keras_file, onnx_file, saved_model
from trainer.export.checking import TOLERANCE
from trainer.export.export import export
from trainer.export.stock import stock_model
from trainer.scoring import Scorer
from trainer.topology import Topology

NETWORKS = [
    ("simple_cnn", {}),
    ("resnet18", {"channels": 3, "layout": "torchvision", "conv_bias": False}),
    ("resnet34", {"dropout": 0.2, "hidden_units": 8, "hidden_dropout": 0.1}),
    ("resnet50", {"layout": "keras"}),
]
FILMS = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 1), dtype=np.uint8)
THRESHOLDS = {"youden": np.array([0.25, 0.5, np.nan], np.float32)}


def own_scores(model: keras.Model, config: ModelConfig):
    return Scorer(model, SingleRank(), config, batch_size=3).of_films(FILMS)


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda each: each[0])
def network(request, make_network):
    """The network of stock layers, and the scores that the trainer gives the films."""
    model, config = make_network(request.param[0], **request.param[1])
    return stock_model(model, config, SIDE), own_scores(model, config)


def test_a_network_of_stock_layers_scores_as_the_trained_one(network) -> None:
    stock, expected = network
    assert expected.std() > 100 * TOLERANCE
    assert np.abs(stock(FILMS, training=False) - expected).max() < 1e-5


def test_no_layer_is_the_projects_own(network) -> None:
    assert {type(each).__module__.partition(".")[0] for each in network[0].layers} == {"keras"}


def test_an_onnx_file_scores_alike(network, tmp_path: Path) -> None:
    stock, expected = network
    onnx_file.write_onnx(tmp_path / "model.onnx", stock, CLASSES, SIDE, THRESHOLDS, {"checkpoint": "step-1"})
    assert np.abs(onnx_file.run_onnx(tmp_path / "model.onnx")(FILMS) - expected).max() < 1e-5


@pytest.fixture(scope="module")
def small(make_network):
    model, config = make_network("simple_cnn")
    return stock_model(model, config, SIDE), own_scores(model, config)


def test_a_keras_file_scores_alike(small, tmp_path: Path) -> None:
    stock, expected = small
    stock.save(tmp_path / "model.keras")
    assert np.abs(keras_file.run_keras(tmp_path / "model.keras")(FILMS) - expected).max() < 1e-5


def test_a_saved_model_scores_alike_and_names_its_classes(small, tmp_path: Path) -> None:
    import tensorflow as tf

    stock, expected = small
    saved_model.write_saved_model(tmp_path / "saved", stock, CLASSES, SIDE, THRESHOLDS)
    assert np.abs(saved_model.run_saved_model(tmp_path / "saved")(FILMS) - expected).max() < 1e-5
    signatures = tf.saved_model.load(str(tmp_path / "saved")).signatures
    given = signatures["serving_default"](films=tf.constant(FILMS))
    assert [each.decode() for each in given["classes"].numpy()] == list(CLASSES)
    np.testing.assert_array_equal(given["threshold_youden"], THRESHOLDS["youden"])
    named = signatures[saved_model.BY_CLASS](films=tf.constant(FILMS))
    assert set(named) == set(CLASSES)
    np.testing.assert_array_equal(named["Mass"], given["probabilities"][:, 1])


def test_onnx_without_its_libraries_is_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("trainer.export.onnx_file")
    monkeypatch.setitem(sys.modules, "trainer.export.onnx_file", None)
    config = settings.load(None, ["export.destination=out", "export.formats=onnx"])
    with pytest.raises(UsageError, match=r"^export.formats: 'onnx' needs .*; install cxr-train with the extra onnx"):
        export(config, Topology(0, 1, 0, 1))


class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2.0


def test_a_layer_that_plain_keras_lacks_is_refused() -> None:
    films = keras.Input((SIDE, SIDE, 1))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(Doubled()(films)))
    with pytest.raises(DataError, match=r"^export: 'Doubled' is a layer that plain Keras does not have"):
        stock_model(keras.Model(films, logits), ModelConfig(), SIDE)


def test_a_layer_that_onnx_is_not_told_is_refused(tmp_path: Path) -> None:
    films = keras.Input((SIDE, SIDE, 1))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.UnitNormalization()(films)))
    stock = stock_model(keras.Model(films, logits), ModelConfig(), SIDE)
    with pytest.raises(DataError, match=r"^export.formats: 'UnitNormalization' is a layer .* not written as ONNX"):
        onnx_file.write_onnx(tmp_path / "model.onnx", stock, CLASSES, SIDE, {}, {})
