"""From a YAML file and ``--set key.path=value`` to a Config, and from a Config back to commented YAML."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from trainer.config import Config
from trainer.errors import UsageError


def load(file: Path | None, assignments: Sequence[str]) -> Config:
    """The defaults, overlaid by the file, overlaid by ``key.path=value`` in their order. Raises UsageError."""
    tree = _read(file) if file else {}
    for assignment in assignments:
        _assign(tree, assignment)
    return validate(tree)


def validate(tree: Mapping[str, Any]) -> Config:
    """A Config of nested plain values; raises UsageError with the dotted key, and the nearest known one."""
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UsageError(key, first["input"], "is set, but there is no such key", _nearest(key)) from None
        cure = f"set {key} to what 'cxr-train config' describes"
        raise UsageError(key, first["input"], f"is not allowed ({_lower(first['msg'])})", cure) from None


def dump(config: Config) -> str:
    """YAML of the whole tree, every key with its description as a comment."""
    return "\n".join(_lines(config, depth=0)) + "\n"


def keys(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[str]:
    """Every dotted key that holds a value."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _read(file: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("--config", str(file), f"cannot be read ({error})", "correct the path") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UsageError("--config", str(file), f"is not YAML ({problem})", "correct the file") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UsageError("--config", str(file), "does not hold a mapping", "write sections such as 'train:'")
    return tree


def _assign(tree: dict[str, Any], assignment: str) -> None:
    key, separator, text = assignment.partition("=")
    if not separator or not key:
        raise UsageError("--set", assignment, "is not key.path=value", "write for example train.epochs=3")
    try:
        value = yaml.safe_load(text) if text else ""
    except yaml.YAMLError:
        value = text
    *sections, name = key.strip().split(".")
    node = tree
    for section in sections:
        below = node.setdefault(section, {})
        if not isinstance(below, dict):
            raise UsageError("--set", assignment, f"goes through {section}, which is a value", _nearest(key))
        node = below
    node[name] = value


def _nearest(key: str) -> str:
    known = list(keys())
    sections = {name.rpartition(".")[0] for name in known} - {""}
    close = difflib.get_close_matches(key, [*known, *sections], n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "see 'cxr-train config' for all keys"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _lines(section: BaseModel, depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:  # {_first_line(value)}"
            yield from _lines(value, depth + 1)
        else:
            plain = list(value) if isinstance(value, tuple) else value
            text = yaml.safe_dump(plain, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
            yield f"{indent}{name}: {text}  # {field.description}"


def _first_line(section: BaseModel) -> str:
    return (type(section).__doc__ or "").strip().splitlines()[0].rstrip(".")
