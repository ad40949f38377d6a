"""The chart's values, laid over one another as helm does. Pure, but for reading the files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from trainer.errors import UsageError

Values = dict[str, Any]


def load(chart: Path, files: Sequence[Path], assignments: Sequence[str]) -> Values:
    """The chart's defaults, overlaid by files, overlaid by ``a.b=c``. Raises UsageError."""
    values = _read("--chart", chart / "values.yaml", "name the chart's folder with --chart")
    for file in files:
        values = merged(values, _read("--values", file, "correct the path or the file"))
    for assignment in assignments:
        values = merged(values, assigned(assignment))
    return values


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Maps are merged, all else replaced; null takes a key away."""
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def assigned(text: str) -> Values:
    """The tree of ``a.b=c,d=e``; a backslash before a dot keeps it in the key. Raises UsageError for what is none."""
    tree: Values = {}
    for part in text.split(","):
        path, equals, value = part.partition("=")
        if not equals or "[" in path or value.startswith("{"):
            raise UsageError("--set", text, "is not a.b=c", "write lists into a file, and give it with -f")
        keys = path.replace("\\.", "\0").split(".")
        leaf: Any = yaml.safe_load(value) if value else ""
        for key in reversed(keys):
            leaf = {key.replace("\0", "."): leaf}
        tree = merged(tree, leaf)
    return tree


def at(values: Mapping[str, Any], path: str, default: Any = None) -> Any:
    """The value at ``a.b.c``; the default where it is missing or null."""
    node: Any = values
    for key in path.split("."):
        if not isinstance(node, Mapping) or node.get(key) is None:
            return default
        node = node[key]
    return node


def _read(option: str, file: Path, cure: str) -> Values:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(option, str(file), f"cannot be read ({' '.join(str(error).split())})", cure) from error
    if not isinstance(tree, dict):
        raise UsageError(option, str(file), "does not hold a mapping", cure)
    return tree
