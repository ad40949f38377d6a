"""The tree of settings: the notebook's defaults, a description for every key, and none that nothing reads."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import k8s
import trainer
from trainer import config as config_module
from trainer.config import Config
from trainer.data.shard.manifest import SPLITS
from trainer.settings import keys

SECTIONS = {
    name: each
    for name, each in vars(config_module).items()
    if isinstance(each, type) and issubclass(each, BaseModel) and name.endswith("Config")
}


def test_the_defaults_are_the_notebooks() -> None:
    config = Config()
    assert config.train.global_batch_size == 32
    assert config.train.epochs == 10
    assert config.optimizer.learning_rate == 1e-4
    assert config.optimizer.weight_decay == 1e-4
    assert config.optimizer.schedule.name == "constant"
    assert config.prepare.image_size == 224
    assert config.data.labels == "nih15"
    assert config.model.name == "resnet34"


def test_every_key_has_a_description() -> None:
    for section in SECTIONS.values():
        for name, field in section.model_fields.items():
            assert field.description or field.annotation in SECTIONS.values(), f"{section.__name__}.{name}"


def test_a_config_never_changes() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().train.epochs = 3


def test_there_is_no_key_that_nothing_reads() -> None:
    read = set(chain.from_iterable(map(reads, sources())))
    dead = [key for key in keys() if (section_of(key).__name__, key.rpartition(".")[2]) not in read]
    assert dead == []


def test_a_key_that_nothing_reads_would_be_found() -> None:
    tree = ast.parse("def f(config: TrainConfig, other: Plan): return other.epochs, config.seed")
    assert set(reads(tree)) == {("TrainConfig", "seed")}


def test_a_read_is_found_however_its_section_is_reached() -> None:
    tree = ast.parse(
        "class A:\n"
        "    def __init__(self, config: LossConfig): self._loss = config\n"
        "    def f(self, tree: Config):\n"
        "        stopping, best = tree.train.early_stopping, 1\n"
        "        return self._loss.focal_gamma, stopping.patience_validations, tree.model.name\n"
    )
    assert set(reads(tree)) >= {
        ("LossConfig", "focal_gamma"),
        ("EarlyStoppingConfig", "patience_validations"),
        ("ModelConfig", "name"),
    }


def sources() -> Iterator[ast.Module]:
    """Every module of the program but the one that defines the keys."""
    for package in (trainer, k8s):
        for file in Path(str(package.__file__)).parent.rglob("*.py"):
            if file.name != "config.py":
                yield ast.parse(file.read_text(encoding="utf-8"))


def section_of(key: str) -> type[BaseModel]:
    """The section that holds a dotted key."""
    model: type[BaseModel] = Config
    for part in key.split(".")[:-1]:
        model = SECTIONS[model.model_fields[part].annotation.__name__]  # type: ignore[union-attr]
    return model


def reads(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(section, key) of every attribute that is read of something known to be a section."""
    known = named_sections(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            section = section_behind(node.value, known)
            if section and node.attr in SECTIONS[section].model_fields:
                yield section, node.attr
        # Which set is asked for is itself a setting, so these three are read by their names.
        if ast.unparse(node).startswith("getattr(config.data, "):
            yield from (("DataConfig", split) for split in SPLITS)


def named_sections(tree: ast.Module) -> dict[str, str]:
    """The sections that parameters, variables and attributes of a module hold, by their names."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation and ast.unparse(node.annotation) in SECTIONS:
            known[node.arg if isinstance(node, ast.arg) else last_name(node.target)] = ast.unparse(node.annotation)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target, value in pairs(node):
                section = section_behind(value, known)
                if section:
                    known[last_name(target)] = section
    return known


def pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is assigned to what, tuples taken apart."""
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=True)
        else:
            yield target, node.value


def section_behind(node: ast.expr, known: dict[str, str]) -> str | None:
    """The section an expression gives: by its own name, or as the field of a section."""
    if isinstance(node, ast.Attribute):
        owner = section_behind(node.value, known)
        fields = SECTIONS[owner].model_fields if owner else {}
        if node.attr in fields:
            name = getattr(fields[node.attr].annotation, "__name__", "")
            return name if name in SECTIONS else None
        # The whole tree goes by the name of config wherever something opened holds it: run.config, self._config.
        return known.get(node.attr, "Config" if node.attr == "config" else None)
    return known.get(node.id) if isinstance(node, ast.Name) else None


def last_name(node: ast.expr) -> str:
    """The name by which a variable or an attribute is spoken of."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
