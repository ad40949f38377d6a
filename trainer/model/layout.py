"""Where makers of ResNets differ: padding, epsilon, the bottleneck's stride, and the scale of the input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from trainer.config import ModelConfig

Name = Literal["notebook", "torchvision", "keras"]


@dataclass(frozen=True)
class Layout:
    """What weights of one maker take for granted."""

    symmetric_padding: bool
    """Strided layers pad both sides alike; Keras's ``same`` pads the far side more where the size is even."""
    epsilon: float
    """Added to batch norm's variance."""
    stride_on_first: bool
    """A bottleneck's stride is on its first 1x1 convolution, not on the 3x3."""
    mean: tuple[float, ...]
    """Subtracted from each input channel, of a film scaled to 0 to 1."""
    deviation: tuple[float, ...]
    """What each input channel is divided by then."""


LAYOUTS: Mapping[Name, Layout] = {
    "notebook": Layout(
        symmetric_padding=False, epsilon=1e-3, stride_on_first=False, mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0)
    ),
    # torchvision.models.resnet, and the transforms of its ResNet weights.
    "torchvision": Layout(
        symmetric_padding=True,
        epsilon=1e-5,
        stride_on_first=False,
        mean=(0.485, 0.456, 0.406),
        deviation=(0.229, 0.224, 0.225),
    ),
    # keras.applications.resnet: blue, green, red of 0 to 255 less their means ("caffe").
    "keras": Layout(
        symmetric_padding=True,
        epsilon=1.001e-5,
        stride_on_first=True,
        mean=(103.939 / 255.0, 116.779 / 255.0, 123.68 / 255.0),
        deviation=(1.0 / 255.0, 1.0 / 255.0, 1.0 / 255.0),
    ),
}


def layout_of(config: ModelConfig) -> Layout:
    """The layout that ``model.layout`` names; ``auto`` without weights is the notebook's."""
    return LAYOUTS["notebook" if config.layout == "auto" else config.layout]


def input_scaling(config: ModelConfig) -> tuple[list[float], list[float]]:
    """Mean and deviation by input channel, [channels]; one channel takes the means of the three."""
    layout = layout_of(config)
    if config.channels == 3:
        return list(layout.mean), list(layout.deviation)
    return [sum(layout.mean) / 3], [sum(layout.deviation) / 3]
