"""An export in its place: the files, then the facts that make them one; an earlier export there goes first."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.data.store.store import Store
from trainer.errors import DataError

FACTS = "export.json"


def place(out: Store, folder: Path, facts: Mapping[str, Any]) -> None:
    """Writes every file of ``folder``, and ``export.json`` last, with the files' SHA-256.

    What an earlier ``export.json`` there lists is deleted before. Raises DataError where that is damaged; StoreDown.
    """
    _clear(out)
    files = {file.relative_to(folder).as_posix(): file for file in sorted(folder.rglob("*")) if file.is_file()}
    for name, file in files.items():
        out.upload(name, file)
    hashes = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    out.write(FACTS, f"{json.dumps({**facts, 'sha256': hashes}, indent=1)}\n".encode())


def _clear(out: Store) -> None:
    """Its facts go first: files without them are no export."""
    if not out.exists(FACTS):
        return
    try:
        names = [str(each) for each in json.loads(out.read(FACTS))["sha256"]]
    except (ValueError, TypeError, KeyError) as error:
        rule, cure = f"holds a damaged {FACTS}", "empty it, or name another"
        raise DataError(out.key, out.where, rule, cure) from error
    out.delete([FACTS])
    out.delete(names)
