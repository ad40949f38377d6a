"""ResNets (He et al., 2016): 18 and 34 of basic blocks, 50, 101 and 152 of bottlenecks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from trainer.config import ModelConfig
from trainer.model.head import head
from trainer.model.layers import Average, FusedBatchNormalization
from trainer.model.layout import Layout, layout_of

STAGE_WIDTHS = (64, 128, 256, 512)
BOTTLENECK_EXPANSION = 4

Block = Callable[["Trunk", Any, str, int, int], Any]
"""(trunk, x, prefix of the names, width, stride) -> x"""


@dataclass(frozen=True)
class Trunk:
    """What all convolutions and norms of one network share."""

    conv_bias: bool
    layout: Layout
    momentum: float
    average: Average | None

    def conv_norm(self, x: Any, name: str, filters: int, size: int, stride: int = 1) -> Any:
        """Convolution and batch norm; ``name`` holds a {} for conv or norm."""
        x, padding = self.padded(x, name.format("pad"), size, stride)
        conv = keras.layers.Conv2D(
            filters, size, stride, padding=padding, use_bias=self.conv_bias, name=name.format("conv")
        )
        norm = FusedBatchNormalization(
            momentum=self.momentum, epsilon=self.layout.epsilon, average=self.average, name=name.format("norm")
        )
        return norm(conv(x))

    def padded(self, x: Any, name: str, size: int, stride: int) -> tuple[Any, str]:
        """``x`` as a layer of that size and stride needs it, and the padding that layer is to do."""
        if stride == 1 or size == 1 or not self.layout.symmetric_padding:
            return x, "same"
        return keras.layers.ZeroPadding2D(size // 2, name=name)(x), "valid"

    def shortcut(self, x: Any, prefix: str, filters: int, stride: int) -> Any:
        """``x`` itself, or its 1x1 projection where the stride or the width changes."""
        if stride == 1 and x.shape[-1] == filters:
            return x
        return self.conv_norm(x, f"{prefix}_projection_{{}}", filters, 1, stride)


def resnet(
    config: ModelConfig,
    classes: int,
    image_size: int,
    average: Average | None,
    *,
    block: Block,
    depths: tuple[int, int, int, int],
) -> keras.Model:
    """A ResNet with ``depths`` blocks in its four stages, in the layout that ``config`` names.

    Takes scaled films, float [batch, image_size, image_size, config.channels]; gives logits, [batch, classes],
    float32 also under mixed policies (float64 under float64). ``average`` is batch norm's mean over ranks.
    """
    # Pooling and head stay wide under mixed policies: they cost nothing, and eight bits of logit would.
    wide = keras.config.dtype_policy().variable_dtype
    trunk = Trunk(config.conv_bias, layout_of(config), config.batch_norm_momentum, average)
    films = keras.Input((image_size, image_size, config.channels), dtype=wide, name="films")

    # ---- Stem: a quarter of the side ----
    x = relu(trunk.conv_norm(films, "stem_{}", 64, 7, 2), "stem_relu")
    # What a ReLU gives is not negative, so zeros around it are never a maximum.
    x, padding = trunk.padded(x, "stem_pool_pad", 3, 2)
    x = keras.layers.MaxPooling2D(3, 2, padding=padding, name="stem_pool")(x)

    # ---- Stages 1 to 4: each after the first halves the side and doubles the width ----
    for stage, (depth, width) in enumerate(zip(depths, STAGE_WIDTHS, strict=True), start=1):
        for index in range(depth):
            x = block(trunk, x, f"stage{stage}_block{index}", width, 2 if stage > 1 and index == 0 else 1)

    # ---- Head ----
    x = keras.layers.GlobalAveragePooling2D(dtype=wide, name="pool")(x)
    return keras.Model(films, head(x, config, classes), name=config.name)


def basic_block(trunk: Trunk, x: Any, prefix: str, width: int, stride: int) -> Any:
    """Two 3x3 convolutions beside the shortcut."""
    y = relu(trunk.conv_norm(x, f"{prefix}_{{}}1", width, 3, stride), f"{prefix}_relu1")
    y = trunk.conv_norm(y, f"{prefix}_{{}}2", width, 3)
    return _join(y, trunk.shortcut(x, prefix, width, stride), prefix)


def bottleneck_block(trunk: Trunk, x: Any, prefix: str, width: int, stride: int) -> Any:
    """1x1 down to the width, 3x3, 1x1 up to four times the width, beside the shortcut."""
    filters = BOTTLENECK_EXPANSION * width
    first, second = (stride, 1) if trunk.layout.stride_on_first else (1, stride)
    y = relu(trunk.conv_norm(x, f"{prefix}_{{}}1", width, 1, first), f"{prefix}_relu1")
    y = relu(trunk.conv_norm(y, f"{prefix}_{{}}2", width, 3, second), f"{prefix}_relu2")
    y = trunk.conv_norm(y, f"{prefix}_{{}}3", filters, 1)
    return _join(y, trunk.shortcut(x, prefix, filters, stride), prefix)


def _join(branch: Any, shortcut: Any, prefix: str) -> Any:
    return relu(keras.layers.Add(name=f"{prefix}_add")([branch, shortcut]), f"{prefix}_relu")


def relu(x: Any, name: str) -> Any:
    """ReLU as a layer with a name."""
    return keras.layers.ReLU(name=name)(x)
