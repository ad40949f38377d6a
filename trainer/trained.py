"""A run's trained network: the first rank reads its checkpoint, and all get the weights."""

import json
from dataclasses import asdict
from typing import Literal, NamedTuple

import keras

from trainer.checkpoint.manifest import Mark
from trainer.checkpoint.reading import Loaded, best, last
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.collectives import Collectives
from trainer.config import ModelConfig
from trainer.data.store.store import Store
from trainer.model.registry import build
from trainer.network import assign

Which = Literal["best", "last"]


class TrainedNetwork(NamedTuple):
    """The network with the weights of a checkpoint, and what it was trained as."""

    model: keras.Model
    """From scaled films, [batch, image_size, image_size, config.channels], to logits, [batch, classes]."""
    config: ModelConfig
    classes: tuple[str, ...]
    image_size: int
    """Height and width of its films, pixels."""
    mark: Mark


def load_trained(store: Store, which: Which, ranks: Collectives) -> TrainedNetwork:
    """The run's network on every rank, in Keras's dtype policy. Raises DataError if there is no good checkpoint."""
    loaded = read_by_first(store, which, ranks)
    run = loaded.snapshot.state.run
    config = ModelConfig.model_validate(run["model"])
    classes = tuple(run["classes"])
    model = build(config, classes=len(classes), image_size=run["image_size"], average=ranks.average_in_model)
    if ranks.topology.is_first:
        assign(model, loaded.snapshot.model)
    ranks.broadcast([each.value for each in model.variables])
    return TrainedNetwork(model, config, classes, run["image_size"], loaded.mark)


def read_by_first(store: Store, which: Which, ranks: Collectives) -> Loaded:
    """The checkpoint; its arrays on rank 0 alone, because a run's folder may lie on that rank's node only."""
    found: Loaded | None = None
    facts = b""
    if ranks.topology.is_first:
        found = {"best": best, "last": last}[which](store)
        facts = json.dumps({"mark": asdict(found.mark), "state": asdict(found.snapshot.state)}).encode()
    received = json.loads(ranks.broadcast_bytes(facts))
    return found or Loaded(Mark(**received["mark"]), Snapshot({}, {}, State(**received["state"])))
