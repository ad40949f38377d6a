"""Writes torchvision_logits.json: what torchvision's own ResNets give for weights by formula.

python tests/unit/model/reference/torchvision_logits.py    # where torch and torchvision are installed
"""

import json
from pathlib import Path

import torch
import torchvision
from formula import array, films

SIDES = (64, 75)


def main() -> None:
    found = {"torchvision": torchvision.__version__}
    for name in ("resnet18", "resnet34", "resnet50"):
        network = getattr(torchvision.models, name)(weights=None, num_classes=7)
        shapes = {key: tuple(each.shape) for key, each in network.state_dict().items()}
        state = {
            key: torch.zeros((), dtype=torch.int64) if not shape else torch.from_numpy(array(key, shape))
            for key, shape in shapes.items()
        }
        network.load_state_dict(state)
        network.eval()
        logits = {}
        for side in SIDES:
            with torch.no_grad():
                images = torch.from_numpy(films(side)).permute(0, 3, 1, 2)
                logits[side] = network(images).tolist()
        found[name] = {"shapes": shapes, "logits": logits}
    Path(__file__).with_suffix(".json").write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")


main()
