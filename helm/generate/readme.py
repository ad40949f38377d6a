"""helm/README.md: what to know before the install, and a table of values made from the comments in values.yaml."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_GROUP = "## "
_KEY = re.compile(r"^(?P<indent> *)(?P<name>[A-Za-z]\w*):")


@dataclass(frozen=True)
class Value:
    """A documented key of values.yaml."""

    group: str
    key: str
    comment: str


@dataclass
class _Reader:
    group: str = ""
    path: list[str] = field(default_factory=list)
    comment: list[str] = field(default_factory=list)


def readme(chart: Path) -> str:
    """The file's text."""
    values = (chart / "values.yaml").read_text(encoding="utf-8")
    head = (chart / "generate" / "README.head.md").read_text(encoding="utf-8")
    return head + "\n".join(_tables(values)) + "\n"


def documented(text: str) -> Iterator[Value]:
    """Every key with a comment above it, in the file's order."""
    reader = _Reader()
    for line in text.splitlines():
        stripped = line.strip()
        found = _KEY.match(line)
        if line.startswith(_GROUP):
            reader.group, reader.comment = line.removeprefix(_GROUP), []
        elif stripped.startswith("#"):
            reader.comment.append(stripped.lstrip("# "))
        elif found:
            depth = len(found["indent"]) // 2
            reader.path = [*reader.path[:depth], found["name"]]
            if reader.comment and reader.group:
                yield Value(reader.group, ".".join(reader.path), " ".join(reader.comment))
            reader.comment = []
        else:
            reader.comment = []


def _tables(text: str) -> Iterator[str]:
    tree, values = yaml.safe_load(text), list(documented(text))
    above = {value.key.rpartition(".")[0] for value in values}
    group = ""
    for value in values:
        if value.group != group:
            group = value.group
            yield from ("", f"### {group}", "", "| value | default | what it is |", "|---|---|---|")
        # A key that only holds others has no default of its own.
        default = "" if value.key in above else f"`{_default(tree, value.key)}`"
        yield f"| `{value.key}` | {default} | {value.comment.replace('|', chr(92) + '|')} |"


def _default(tree: Any, key: str) -> str:
    for name in key.split("."):
        tree = tree[name]
    return json.dumps(tree)
