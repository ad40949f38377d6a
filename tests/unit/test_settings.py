"""From file and command line to a Config, and back; a wrong key or value is named."""

from pathlib import Path

import pytest
import yaml

from trainer import settings
from trainer.config import Config
from trainer.errors import UsageError
from trainer.settings import keys


def refusal(*assignments: str) -> str:
    with pytest.raises(UsageError) as caught:
        settings.load(None, assignments)
    return str(caught.value)


def from_text(directory: Path, text: str, *assignments: str) -> Config:
    file = directory / "run.yaml"
    file.write_text(text, encoding="utf-8")
    return settings.load(file, assignments)


def test_nothing_set_gives_the_defaults() -> None:
    assert settings.load(None, []) == Config()


def test_the_printed_configuration_reads_back_as_the_same(tmp_path: Path) -> None:
    changed = settings.load(
        None,
        [
            "train.epochs=3",
            "optimizer.learning_rate=3e-5",
            "prepare.source=[a.tar, 'b, c']",
            "data.training='x: y # z'",
            "train.augment.enabled=false",
        ],
    )
    assert from_text(tmp_path, settings.dump(changed)) == changed


def test_the_printed_defaults_read_back_as_the_defaults(tmp_path: Path) -> None:
    assert from_text(tmp_path, settings.dump(Config())) == Config()


def test_the_printed_configuration_describes_every_key() -> None:
    lines = settings.dump(Config()).splitlines()
    bare = [line for line in lines if not line.partition("  # ")[2].strip()]
    assert bare == []


def test_the_printed_configuration_holds_every_key() -> None:
    tree = yaml.safe_load(settings.dump(Config()))
    for key in keys():
        node = tree
        for part in key.split("."):
            node = node[part]


def test_the_command_line_goes_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    config = from_text(tmp_path, "train: {epochs: 5, seed: 7}", "train.epochs=6")
    assert (config.train.epochs, config.train.seed, config.train.global_batch_size) == (6, 7, 32)


def test_the_last_of_two_assignments_counts() -> None:
    assert settings.load(None, ["train.epochs=5", "train.epochs=6"]).train.epochs == 6


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("train.epochs=3", 3),
        ("optimizer.learning_rate=1e-4", 1e-4),
        ("optimizer.learning_rate=0.01", 0.01),
        ("optimizer.learning_rate=1", 1.0),
        ("train.deterministic=true", True),
        ("train.precision=float64", "float64"),
        ("data.validation=", ""),
        ("data.validation=''", ""),
        ("data.training=s3://b/a=b", "s3://b/a=b"),
        ("data.training=1e5", "1e5"),
        ("data.training=/a b/[c", "/a b/[c"),
        ("prepare.source=[a, b]", ("a", "b")),
        ("prepare.source=[a]", ("a",)),
        ("prepare.source=[]", ()),
        ("prepare.columns.film=Image Index", "Image Index"),
    ],
)
def test_an_assignment_is_read_as_people_type_it(assignment: str, expected: object) -> None:
    node: object = settings.load(None, [assignment])
    for part in assignment.partition("=")[0].split("."):
        node = getattr(node, part)
    assert node == expected
    assert type(node) is type(expected)


def test_a_number_in_a_file_may_be_written_with_an_exponent(tmp_path: Path) -> None:
    assert from_text(tmp_path, "optimizer: {learning_rate: 1e-4}").optimizer.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("train.epoch=3", "train.epochs"),
        ("train.global_batch=3", "train.global_batch_size"),
        ("optimizer.learningrate=1", "optimizer.learning_rate"),
        ("optimizer.shedule.name=cosine", "optimizer.schedule"),
        ("optimiser.lr=1", "optimizer"),
        ("train.augment.rotation=1", "train.augment.rotation_degrees"),
        ("checkpoints.directory=x", "checkpoint"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(typed: str, meant: str) -> None:
    message = refusal(typed)
    unknown = message.partition(":")[0]
    assert typed.startswith(unknown)
    assert message.endswith(f"is set, but there is no such key; did you mean {meant}?")


def test_a_key_like_none_is_refused_with_the_way_to_all_keys() -> None:
    assert refusal("zzz=1") == "zzz: 1 is set, but there is no such key; see 'cxr-train config' for all keys"


@pytest.mark.parametrize(
    ("assignment", "key"),
    [
        ("train.epochs=0", "train.epochs"),
        ("train.epochs=ten", "train.epochs"),
        ("train.epochs=", "train.epochs"),
        ("train.epochs=1.5", "train.epochs"),
        ("optimizer.learning_rate=-1", "optimizer.learning_rate"),
        ("optimizer.learning_rate=.nan", "optimizer.learning_rate"),
        ("optimizer.learning_rate=inf", "optimizer.learning_rate"),
        ("optimizer.beta_1=1", "optimizer.beta_1"),
        ("train.precision=float16", "train.precision"),
        ("train.augment.shift=1.5", "train.augment.shift"),
        ("model.channels=2", "model.channels"),
        ("prepare.source={a: b}", "prepare.source"),
        ("optimizer.schedule.name=linear", "optimizer.schedule.name"),
        ("telemetry.port=65536", "telemetry.port"),
        ("train=3", "train"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_its_dotted_key(assignment: str, key: str) -> None:
    message = refusal(assignment)
    assert message.startswith(f"{key}: ")
    assert " is not allowed (" in message
    assert "\n" not in message


@pytest.mark.parametrize("assignment", ["train.epochs", "=3", ""])
def test_what_is_not_an_assignment_is_refused(assignment: str) -> None:
    assert refusal(assignment) == f"--set: {assignment!r} is not key.path=value; write for example train.epochs=3"


def test_a_path_through_a_value_is_refused() -> None:
    assert refusal("train.epochs=3", "train.epochs.x=4").startswith("--set: 'train.epochs.x=4' goes through epochs")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("- a", "does not hold a mapping"),
        ("3", "does not hold a mapping"),
        ("train: {epochs: 3", "is not YAML"),
        ("a: b: c", "is not YAML"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(UsageError, match=f"^--config: .*run.yaml' {rule}[^\n]*$"):
        from_text(tmp_path, text)


def test_an_empty_file_sets_nothing(tmp_path: Path) -> None:
    assert from_text(tmp_path, "# nothing yet\n") == Config()


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"^--config: .* cannot be read "):
        settings.load(tmp_path / name, [])


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"^--config: .* cannot be read "):
        settings.load(tmp_path / "run.yaml", [])


def test_one_source_needs_no_brackets() -> None:
    assert settings.load(None, ["prepare.source=films"]).prepare.source == ("films",)


def test_a_folder_named_by_a_number_is_text() -> None:
    assert settings.load(None, ["data.training=2024"]).data.training == "2024"
