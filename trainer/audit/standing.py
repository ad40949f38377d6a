"""How far a run is committed: what its newest checkpoint says."""

import json
import re
from typing import NamedTuple

from trainer.checkpoint.files import state_from_json
from trainer.data.store.store import Store

_FOLDER = re.compile(r"step-\d{9}")


class Standing(NamedTuple):
    """Where the newest checkpoint stands, and the attempt that wrote it; ``batch`` of ``epoch`` is the next one."""

    attempt: int
    step: int
    epoch: int
    batch: int


def standing(store: Store) -> Standing | None:
    """Of the run in a store; None if nothing is committed."""
    for folder in sorted(filter(_FOLDER.fullmatch, store.folders()), reverse=True):
        if store.exists(f"{folder}/manifest.json"):
            attempt = json.loads(store.read(f"{folder}/manifest.json"))["attempt"]
            state = state_from_json(store.read(f"{folder}/state.json"))
            return Standing(attempt, state.step, state.epoch, state.batch)
    return None
