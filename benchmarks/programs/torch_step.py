"""PyTorch's training step: the same ResNet-34, channels_last, bfloat16 autocast, fused AdamW; no augmentation.

Run by PyTorch's own interpreter. Settings: cores, image_size, films.
"""

import time
from typing import Any

import torch
from torch import nn

from benchmarks.channel import Parent, serve, settings

_CLASSES = 15
_DEPTHS, _WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)
_WARM_STEPS = 3


class Block(nn.Module):
    """A basic block."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = _conv_norm(channels, width, 3, stride)
        self.second = _conv_norm(width, width, 3, 1)
        self.shortcut = nn.Identity() if channels == width else _conv_norm(channels, width, 1, stride)

    def forward(self, x: Any) -> Any:
        """[batch, channels, height, width] to [batch, width, height / stride, width / stride]."""
        y = self.second(torch.relu_(self.first(x)))
        return torch.relu_(y + self.shortcut(x))


def main() -> None:
    """Trains so many steps at each request."""
    given = settings()
    torch.set_num_threads(len(given["cores"]))
    parent = Parent()
    model = _resnet34().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-4, fused=True)
    loss_of = nn.BCEWithLogitsLoss()
    images = torch.rand(given["films"], 1, given["image_size"], given["image_size"])
    images = images.to(memory_format=torch.channels_last)
    labels = (torch.rand(given["films"], _CLASSES) < 0.1).float()

    def measure(films: int, steps: int) -> dict[str, float]:
        del films
        began = time.perf_counter()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(images)
            loss = loss_of(logits.float(), labels)
            loss.backward()
            optimizer.step()
            loss.item()
        return {"seconds": time.perf_counter() - began}

    measure(given["films"], _WARM_STEPS)
    serve(parent, measure)


def _resnet34() -> nn.Module:
    blocks: list[nn.Module] = []
    channels = _WIDTHS[0]
    for depth, width in zip(_DEPTHS, _WIDTHS, strict=True):
        for _ in range(depth):
            blocks.append(Block(channels, width, 1 if channels == width else 2))
            channels = width
    stem = [_conv_norm(1, _WIDTHS[0], 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, _CLASSES)]
    return nn.Sequential(*stem, *blocks, *head)


def _conv_norm(channels: int, width: int, size: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, width, size, stride, size // 2), nn.BatchNorm2d(width, 1e-3, 0.01))


if __name__ == "__main__":
    main()
