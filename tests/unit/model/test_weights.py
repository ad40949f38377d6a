"""Weights from elsewhere: the same outputs as in the network they come from, or an error that names the layer."""

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.unit.model.reference.formula import array, films
from trainer.config import ModelConfig
from trainer.errors import DataError
from trainer.model.registry import build
from trainer.model.weights import metadata
from trainer.model.weights.file import read_weights
from trainer.model.weights.fitting import fit

REFERENCE = json.loads((Path(__file__).parent / "reference" / "torchvision_logits.json").read_text())
CLASSES = tuple(f"class{number}" for number in range(7))


def torchvision_file(path: Path, name: str, **replaced: Any) -> Path:
    shapes = REFERENCE[name]["shapes"]
    arrays = {key: array(key, tuple(shape)) for key, shape in shapes.items() if shape}
    save_file({key: each for key, each in (arrays | replaced).items() if each is not None}, path)
    return path


def network(name: str, layout: Any, *, classes: int = 7, side: int = 64, channels: Any = 3, bias: bool) -> keras.Model:
    config = ModelConfig(name=name, layout=layout, channels=channels, conv_bias=bias)
    return build(config, classes=classes, image_size=side)


def values(model: keras.Model) -> dict[str, Any]:
    return {each.path: each.numpy() for each in model.variables}


@pytest.mark.parametrize("side", [64, 75])
@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_torchvisions_weights_give_what_torchvisions_network_gives(name: str, side: int, tmp_path: Path) -> None:
    weights = read_weights(torchvision_file(tmp_path / "weights.safetensors", name))
    model = network(name, weights.layout, side=side, bias=False)
    fit(model, weights, CLASSES, "weights")
    head = ("head/kernel", "head/bias")
    for variable in model.variables:
        if variable.path in head:
            variable.assign(weights.arrays[variable.path])
    expected = np.array(REFERENCE[name]["logits"][str(side)])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(model(films(side)).numpy() / scale, expected / scale, atol=1e-4)


@pytest.mark.parametrize("top", [True, False])
def test_a_stock_keras_resnet50_gives_the_same_here(top: bool, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    stock = keras.applications.ResNet50(
        weights=None, include_top=top, classes=7, classifier_activation=None, input_shape=(64, 64, 3)
    )
    generator = np.random.default_rng(0)
    for variable in stock.variables:
        if variable.name in ("moving_mean", "moving_variance", "bias", "beta"):
            variable.assign(variable + 0.2 * generator.random(variable.shape))
    path = tmp_path / "stock.weights.h5"
    stock.save_weights(path)

    weights = read_weights(path)
    model = network("resnet50", weights.layout, bias=True)
    assert fit(model, weights, CLASSES, "weights").head == "new"
    given = films(64)
    ours = keras.Model(model.inputs[0], model.get_layer("stage4_block2_relu").output)(given).numpy()
    theirs = keras.Model(stock.inputs[0], stock.get_layer("conv5_block3_out").output)(given).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max())


def test_a_gray_film_gives_the_same_through_a_summed_stem(tmp_path: Path) -> None:
    weights = read_weights(torchvision_file(tmp_path / "weights.safetensors", "resnet18"))
    colour, gray = (network("resnet18", "torchvision", channels=channels, bias=False) for channels in (3, 1))
    for model in (colour, gray):
        fit(model, weights, CLASSES, "weights")
    for variable in gray.variables:
        if variable.path.startswith("head/"):
            variable.assign(values(colour)[variable.path])
    film = films(64)[..., :1]
    np.testing.assert_allclose(gray(film).numpy(), colour(np.repeat(film, 3, axis=-1)).numpy(), rtol=1e-3, atol=1e-3)


def ours_file(path: Path, model: keras.Model, classes: tuple[str, ...]) -> Path:
    said = metadata.written({"model": {"layout": "notebook"}, "classes": classes})
    save_file(values(model), path, metadata=said)
    return path


def small(classes: int) -> keras.Model:
    return network("simple_cnn", "notebook", classes=classes, side=16, channels=1, bias=True)


def test_our_own_file_comes_back_whole_for_the_same_classes(tmp_path: Path) -> None:
    trained, fresh = small(3), small(3)
    weights = read_weights(ours_file(tmp_path / "model.safetensors", trained, ("a", "b", "c")))
    assert fit(fresh, weights, ("a", "b", "c"), "weights").head == "loaded"
    for path, value in values(fresh).items():
        np.testing.assert_array_equal(value, values(trained)[path])


def test_classes_that_two_label_sets_share_keep_their_outputs(tmp_path: Path) -> None:
    trained, fresh = small(3), small(2)
    before = values(fresh)["head/kernel"]
    weights = read_weights(ours_file(tmp_path / "model.safetensors", trained, ("a", "b", "c")))
    assert fit(fresh, weights, ("c", "new"), "weights").head == "loaded for 1 of 2 classes"
    after = values(fresh)["head/kernel"]
    np.testing.assert_array_equal(after[:, 0], values(trained)["head/kernel"][:, 2])
    np.testing.assert_array_equal(after[:, 1], before[:, 1])


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        (
            {"layer2.0.conv1.weight": np.zeros((128, 64, 5, 5), np.float32)},
            r"\(5, 5, 64, 128\) for stage2_block0_conv",
        ),
        ({"layer3.1.bn2.running_mean": None}, "nothing for stage3_block1_norm2/moving_mean, whose shape is"),
        ({"layer5.0.conv1.weight": np.zeros((8, 8, 3, 3), np.float32)}, "has layer5.0.conv1.weight of shape"),
    ],
)
def test_weights_of_another_network_name_the_layer_and_both_shapes(
    replaced: dict[str, Any], said: str, tmp_path: Path
) -> None:
    weights = read_weights(torchvision_file(tmp_path / "weights.safetensors", "resnet18", **replaced))
    with pytest.raises(DataError, match=said):
        fit(network("resnet18", "torchvision", bias=False), weights, CLASSES, "weights")


def test_weights_of_a_deeper_network_are_refused(tmp_path: Path) -> None:
    weights = read_weights(torchvision_file(tmp_path / "weights.safetensors", "resnet34"))
    with pytest.raises(DataError, match="which the network has not"):
        fit(network("resnet18", "torchvision", bias=False), weights, CLASSES, "weights")


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"conv1.weight": [1.0]}))


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"")


def truncated_safetensors(path: Path) -> None:
    save_file({"a": np.zeros(1000, np.float32)}, path)
    path.write_bytes(path.read_bytes()[:500])


def truncated_hdf5(path: Path) -> None:
    small(3).save_weights(path.with_suffix(".weights.h5"))
    content = path.with_suffix(".weights.h5").read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (pickled, "is a zip archive or a pickle, which could run code"),
        (zipped, "is a zip archive or a pickle, which could run code"),
        (truncated_safetensors, "cannot be read"),
        (truncated_hdf5, "cannot be read"),
        (lambda path: path.write_bytes(b""), "is neither safetensors nor HDF5"),
        (lambda path: path.write_bytes(b"\xff" * 64), "is neither safetensors nor HDF5"),
        (lambda path: None, "cannot be opened"),  # noqa: ARG005 - writes nothing
    ],
)
def test_a_bad_file_is_refused_in_one_line(write: Any, said: str, tmp_path: Path) -> None:
    write(tmp_path / "weights")
    with pytest.raises(DataError, match=said) as raised:
        read_weights(tmp_path / "weights")
    assert "\n" not in str(raised.value)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "weights").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError):
        read_weights(tmp_path / "weights")
    assert not (tmp_path / "sprung").exists()


def test_an_hdf5_of_another_network_is_refused(tmp_path: Path) -> None:
    small(3).save_weights(tmp_path / "small.weights.h5")
    with pytest.raises(DataError, match="no stock ResNet50, 101 or 152"):
        read_weights(tmp_path / "small.weights.h5")
