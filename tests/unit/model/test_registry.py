"""Names lead to networks, in the policy that is set."""

from collections.abc import Iterator

import keras
import pytest
import tensorflow as tf

from trainer.config import ModelConfig
from trainer.errors import UsageError
from trainer.model.layers import FusedBatchNormalization
from trainer.model.registry import build, names


@pytest.fixture(autouse=True)
def restored_policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def average(tensor: tf.Tensor, _name: str) -> tf.Tensor:
    return tensor


def test_names_are_those_of_the_settings() -> None:
    resnets = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
    assert names() == (*resnets, "plain18", "plain34", "simple_cnn")


@pytest.mark.parametrize(("wrong", "nearest"), [("resnet43", "resnet34"), ("simplecnn", "simple_cnn")])
def test_an_unknown_name_is_answered_with_the_known_ones_nearest_first(wrong: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=rf"model\.name: '{wrong}' is not a model; choose one of {nearest}, "):
        build(ModelConfig(name=wrong), classes=15, image_size=32)


@pytest.mark.parametrize("name", ["resnet18", "simple_cnn"])
@pytest.mark.parametrize(
    ("policy", "trunk", "head"),
    [("float32",) * 3, ("mixed_bfloat16", "bfloat16", "float32"), ("float64",) * 3],
)
def test_logits_are_wide_whatever_the_trunk_computes_in(name: str, policy: str, trunk: str, head: str) -> None:
    keras.config.set_dtype_policy(policy)
    model = build(ModelConfig(name=name), classes=15, image_size=32)
    logits = model(tf.zeros((2, 32, 32, 1)), training=False)
    assert (logits.dtype.name, model.layers[1].compute_dtype, logits.shape) == (head, trunk, (2, 15))


@pytest.mark.parametrize(("wanted", "expected"), [(True, average), (False, None)])
def test_batch_norm_averages_over_ranks_only_where_asked(wanted: bool, expected: object) -> None:
    config = ModelConfig(name="resnet18", sync_batch_norm=wanted)
    model = build(config, classes=15, image_size=32, average=average)
    norms = [layer for layer in model.layers if isinstance(layer, FusedBatchNormalization)]
    assert {norm.average for norm in norms} == {expected}


def test_every_average_over_ranks_has_a_name_of_its_own() -> None:
    seen: list[str] = []

    def noted(tensor: tf.Tensor, name: str) -> tf.Tensor:
        seen.append(name)
        return tensor

    model = build(ModelConfig(name="resnet18", sync_batch_norm=True), classes=15, image_size=32, average=noted)
    model(tf.zeros((2, 32, 32, 1)), training=True)
    assert len(seen) == len(set(seen)) == 2 * 20
    assert seen[:2] == ["stem_norm/mean", "stem_norm/variance"]
