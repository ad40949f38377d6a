"""What the header of a file of our own weights says of their network, so that the file alone is enough."""

import json
from collections.abc import Mapping
from typing import Any

_ENTRY = "cxr_train"


def written(run: Mapping[str, Any]) -> dict[str, str]:
    """The header's entry: the network's settings and its classes, of the facts of a run."""
    return {_ENTRY: json.dumps({name: run[name] for name in ("model", "classes") if name in run}, sort_keys=True)}


def read(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """``model`` and ``classes`` of a header, as far as it says them. Raises ValueError if its entry is damaged."""
    found: dict[str, Any] = json.loads((metadata or {}).get(_ENTRY, "{}"))
    return found
