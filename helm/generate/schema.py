"""values.schema.json: the chart's own values, the trainer's settings, and Kubernetes' types, put together."""

import importlib.resources
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trainer.config import Config

Schema = dict[str, Any]

# Strict: a key that the type does not have is refused, so a typo in an affinity does not go unseen.
KUBERNETES = "kubernetes-json-schema/v1.37.0-local-strict/_definitions.json"


def schema(chart: Path) -> str:
    """The file's text."""
    own = yaml.safe_load((chart / "schema" / "values.yaml").read_text(encoding="utf-8"))
    removed = yaml.safe_load((chart / "removed.yaml").read_text(encoding="utf-8")) or {}
    trainer = Config.model_json_schema(ref_template="#/$defs/trainer.{model}")
    definitions = {f"trainer.{name}": _bare(each) for name, each in trainer.pop("$defs").items()}
    properties = {**own["properties"], "training": _bare(trainer)}
    for key in removed:
        _let_through(properties, key.split("."))
    tree = _closed(properties)
    definitions |= dict(_kubernetes(_types_named(tree)))
    return _text(_with_references(tree), definitions)


def _closed(properties: Schema) -> Schema:
    """An object of these keys and no others, and so within it."""
    within = {
        key: _closed(each["properties"]) if "properties" in each and "type" not in each else each
        for key, each in properties.items()
    }
    return {"type": "object", "additionalProperties": False, "properties": within}


def _let_through(properties: Schema, path: list[str]) -> None:
    """A key that is gone: any value passes here, so that the chart can say what replaced it."""
    first, *rest = path
    if not rest:
        properties[first] = {}
    elif "properties" in properties.setdefault(first, {"properties": {}}):
        _let_through(properties[first]["properties"], rest)


def _bare(node: Any) -> Any:
    """Without the titles that pydantic makes of the names."""
    if isinstance(node, dict):
        return {key: _bare(each) for key, each in node.items() if key != "title" or not isinstance(each, str)}
    return [_bare(each) for each in node] if isinstance(node, list) else node


def _types_named(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if set(node) == {"k8s"}:
            yield f"io.k8s.api.{node['k8s']}"
        for each in node.values():
            yield from _types_named(each)
    elif isinstance(node, list):
        for each in node:
            yield from _types_named(each)


def _with_references(node: Any) -> Any:
    if isinstance(node, dict):
        if set(node) == {"k8s"}:
            return {"$ref": f"#/$defs/io.k8s.api.{node['k8s']}"}
        return {key: _with_references(each) for key, each in node.items()}
    return [_with_references(each) for each in node] if isinstance(node, list) else node


def _kubernetes(names: Iterator[str]) -> Iterator[tuple[str, Schema]]:
    """The types named, and all that they are made of; without descriptions, which are longer than all the rest."""
    file = importlib.resources.files("kubernetes_validate").joinpath(KUBERNETES)
    known: Mapping[str, Schema] = json.loads(file.read_text(encoding="utf-8"))["$defs"]
    waiting, seen = list(names), set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found = _structure(known[name])
            waiting.extend(_references(found))
            yield name, found


def _structure(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: _structure(each)
            for key, each in node.items()
            if not (key == "description" and isinstance(each, str)) and not key.startswith("x-kubernetes-")
        }
    return [_structure(each) for each in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].rpartition("/")[2]
        for each in node.values():
            yield from _references(each)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _text(tree: Schema, definitions: Mapping[str, Schema]) -> str:
    """Readable values on top; below, each type on a line of its own."""
    head = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **tree}, indent=2).removesuffix("\n}")
    lines = [f"    {json.dumps(name)}: {json.dumps(definitions[name])}" for name in sorted(definitions)]
    return head + ',\n  "$defs": {\n' + ",\n".join(lines) + "\n  }\n}\n"
