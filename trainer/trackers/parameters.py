"""The settings of a run as a tracker's parameters: flat, as text, without what only some may know. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from trainer.config import Config

LONGEST = 500
"""Letters of a value; what older MLflow servers take."""

_SECTIONS = ("data", "model", "train", "optimizer", "loss", "checkpoint", "evaluate", "collectives")
# A password may hold @ and, though it should not, slashes; what follows a colon may also be a port.
_IN_ADDRESS = re.compile(r"(?<=://)(?:[^/@\s:]*:(?!\d+/)\S*|[^/\s]*)@")
_QUERY = re.compile(r"(://[^?\s]*)\?\S*")


def parameters(config: Config) -> dict[str, str]:
    """The sections that decide what a run learns, by dotted key; what is empty is left out.

    No setting holds a secret, but an address may be typed with one: names and passwords before a host and what follows
    a ``?`` are left out.
    """
    tree = config.model_dump(mode="json", include=set(_SECTIONS))
    return {key: masked(value)[:LONGEST] for key, value in _flat(tree, "") if value}


def masked(text: str) -> str:
    """Addresses in it without names, passwords and queries."""
    return _QUERY.sub(r"\1", _IN_ADDRESS.sub("", text))


def _flat(tree: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)
