"""Plain networks (He et al., 2016): the ResNets of basic blocks without their shortcuts, to show what those are for."""

from typing import Any

from trainer.model.resnet import Trunk, relu


def plain_block(trunk: Trunk, x: Any, prefix: str, width: int, stride: int) -> Any:
    """The two 3x3 convolutions of ``basic_block``, with nothing beside them: the same names and ReLUs, no addition."""
    y = relu(trunk.conv_norm(x, f"{prefix}_{{}}1", width, 3, stride), f"{prefix}_relu1")
    return relu(trunk.conv_norm(y, f"{prefix}_{{}}2", width, 3), f"{prefix}_relu")
