"""What a run is known by to its trackers: a random key, kept in the run's folder, the same in all its attempts."""

import json
import uuid

from trainer.data.store.store import AlreadyThere, NotThere, Store

FILE = "trackers.json"


def run_key(store: Store) -> str:
    """32 hexadecimal digits; drawn, and written before anybody is told, by the first who asks."""
    try:
        return _read(store)
    except NotThere:
        key = uuid.uuid4().hex
    try:
        store.create(FILE, json.dumps({"run": key}).encode())
    except AlreadyThere:
        return _read(store)
    return key


def _read(store: Store) -> str:
    return str(json.loads(store.read(FILE))["run"])
