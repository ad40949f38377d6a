"""Mean AUROC of published work on the same films, and what differs from a run of this program."""

from typing import NamedTuple


class Published(NamedTuple):
    """A published result; ``classes`` of ChestX-ray14 are in its mean."""

    work: str
    mean_auroc: float
    classes: int
    split: str
    differs: str


OFFICIAL_TEST_FILMS = 25_596

CHESTXRAY14: tuple[Published, ...] = (
    Published(
        "Wang et al., CVPR 2017",
        0.738,
        14,
        "official, by patient",
        "ResNet-50 pretrained on ImageNet, 1024 px films",
    ),
    Published(
        "Guendel et al., CIARP 2018",
        0.807,
        14,
        "official, by patient",
        "DenseNet-121 at high resolution, trained also on PLCO's films and on where findings lie",
    ),
    Published(
        "Baltruschat et al., Scientific Reports 2019",
        0.806,
        14,
        "official, by patient",
        "ResNet-38 at 448 px, from scratch, with age, sex and view as further inputs",
    ),
    Published(
        "Rajpurkar et al., CheXNet, 2017",
        0.841,
        14,
        "its own, by patient",
        "DenseNet-121 pretrained on ImageNet; a random split of patients, other test films than the official ones",
    ),
)
