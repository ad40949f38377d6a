"""The notebook's small network."""

import pytest

from trainer.config import ModelConfig
from trainer.errors import UsageError
from trainer.model.registry import build


def test_simple_cnn_is_as_large_as_the_notebooks() -> None:
    model = build(ModelConfig(name="simple_cnn", channels=3), classes=15, image_size=224)
    assert model.count_params() == 95_579_087


def test_smallest_films_it_takes_are_of_ten_pixels() -> None:
    assert build(ModelConfig(name="simple_cnn"), classes=15, image_size=10).output_shape == (None, 15)
    with pytest.raises(UsageError, match="'simple_cnn' needs films of 10 pixels a side, these have 9"):
        build(ModelConfig(name="simple_cnn"), classes=15, image_size=9)


def test_dropout_comes_before_the_head_where_asked() -> None:
    model = build(ModelConfig(name="simple_cnn", dropout=0.5), classes=15, image_size=32)
    assert [layer.name for layer in model.layers][-3:] == ["hidden", "dropout", "head"]
