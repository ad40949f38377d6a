"""The verbs: help without TensorFlow, and errors of one line with their exit code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from trainer.checkpoint.attempt import claim
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.snapshot import Snapshot, State
from trainer.checkpoint.writing import commit
from trainer.cli import app
from trainer.config import Config
from trainer.data.shard.shards import shard_name
from trainer.data.store.folder import FolderStore
from trainer.labels import label_set


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    errors: str


def ask(*arguments: str) -> Answer:
    result = CliRunner().invoke(app, arguments)
    return Answer(result.exit_code, result.stdout, result.stderr)


def test_the_program_answers_without_tensorflow() -> None:
    code = "import sys, trainer.cli; sys.exit('tensorflow' in sys.modules or 'horovod' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_names_every_verb() -> None:
    answer = ask("--help")
    assert answer.code == 0
    for verb in ("phantom", "prepare", "train", "evaluate", "predict", "audit", "compare", "report", "config"):
        assert verb in answer.out


def test_config_prints_the_merged_tree(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("train: {epochs: 3}\n", encoding="utf-8")
    answer = ask("config", "--config", str(file), "--set", "optimizer.learning_rate=1e-3")
    printed = Config.model_validate(yaml.safe_load(answer.out))
    assert (printed.train.epochs, printed.optimizer.learning_rate) == (3, 1e-3)
    assert (answer.code, answer.errors) == (0, "")


@pytest.mark.parametrize("verb", ["config", "train", "evaluate", "predict", "export", "prepare"])
def test_a_typo_in_a_key_is_one_line_with_the_nearest_key(verb: str) -> None:
    assert ask(verb, "--set", "train.epoch=3") == Answer(
        2, "", "train.epoch: 3 is set, but there is no such key; did you mean train.epochs?\n"
    )


def test_a_file_that_is_missing_is_one_line() -> None:
    answer = ask("train", "--config", "/nowhere/run.yaml")
    assert answer.code == 2
    assert answer.errors.startswith("--config: '/nowhere/run.yaml' cannot be read ")
    assert answer.errors.count("\n") == 1


def test_a_batch_that_the_ranks_do_not_divide_is_refused_before_any_is_started() -> None:
    assert ask("train", "--ranks", "3") == Answer(
        2, "", "train.global_batch_size: 32 is not divisible by 3 ranks; use 33, or another number of ranks\n"
    )


def test_debug_shows_where_the_error_comes_from_and_keeps_its_exit_code() -> None:
    answer = ask("train", "--ranks", "3", "--debug")
    assert "Traceback" in answer.errors
    assert answer.errors.endswith("is not divisible by 3 ranks; use 33, or another number of ranks\n")
    assert answer.code == 2


# ---- Verbs that need TensorFlow: all asked of one process, because it takes seconds to import ----

ASKED = """
import json, sys, warnings
from typer.testing import CliRunner
from trainer.cli import app
answers = {}
for name, arguments in json.load(sys.stdin).items():
    result = CliRunner().invoke(app, arguments)
    answers[name] = [result.exit_code, result.stdout, result.stderr]
print("answers:" + json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(
    small_sets: Path, make_set: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Answer]:
    folder = tmp_path_factory.mktemp("cli")
    asked = {
        "no training set": train(folder),
        "no manifest": train(folder, f"data.training={folder}"),
        "other labels": train(folder, f"data.training={small_sets / 'training'}", "data.labels=nih14"),
        "newer manifest": train(folder, f"data.training={newer_manifest(small_sets, folder)}"),
        "shared patients": train(
            folder, f"data.training={small_sets / 'training'}", f"data.validation={small_sets / 'training'}"
        ),
        "other size": train(
            folder,
            f"data.training={small_sets / 'training'}",
            f"data.validation={make_set(folder / 'larger', 'validation', 10, side=48, patient_prefix='b')}",
        ),
        "only damaged checkpoints": train_on_damaged(folder, f"data.training={small_sets / 'training'}"),
        "parts": train(folder, "train.accumulation_steps=5"),
        "no checkpoint": ["evaluate", "--set", f"checkpoint.directory={folder / 'empty'}"],
        "other classes": evaluate_on_other_classes(make_set, folder),
        # The last one, because from here on TensorFlow's threads can no longer be set.
        "damaged shard": train(folder, f"data.training={damaged_shard(small_sets, folder)}"),
    }
    return ask_one_process(asked)


def ask_one_process(asked: dict[str, list[str]]) -> dict[str, Answer]:
    ran = subprocess.run(
        [sys.executable, "-c", ASKED], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    (line,) = (each for each in ran.stdout.splitlines() if each.startswith("answers:"))
    return {name: Answer(*answer) for name, answer in json.loads(line.removeprefix("answers:")).items()}


def train(folder: Path, *assignments: str) -> list[str]:
    fixed = ("model.name=simple_cnn", "train.precision=float32", f"checkpoint.directory={folder / 'run'}")
    return ["train", *(part for each in (*fixed, *assignments) for part in ("--set", each))]


def train_on_damaged(folder: Path, training: str) -> list[str]:
    run = folder / "bit-rot"
    (run / written(run, State(step=1)) / "model.safetensors").write_bytes(b"")
    return [*train(folder, training), "--set", f"checkpoint.directory={run}"]


def written(run: Path, state: State) -> str:
    """A checkpoint of a job that has ended; its folder."""
    store = FolderStore(run, "checkpoint.directory")
    attempt = claim(store, Owner("", "", "here", Process("here", 1, 1)), 60.0)
    done = commit(store, Snapshot({"w": np.zeros(1)}, {}, state), b"", attempt)
    attempt.end()
    return done.mark.folder


def newer_manifest(small_sets: Path, folder: Path) -> Path:
    copy = Path(shutil.copytree(small_sets / "training", folder / "newer"))
    manifest = json.loads((copy / "manifest.json").read_bytes())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format_version": 4, "new": True}))
    return copy


def damaged_shard(small_sets: Path, folder: Path) -> Path:
    copy = Path(shutil.copytree(small_sets / "training", folder / "damaged"))
    content = bytearray((copy / shard_name(2)).read_bytes())
    content[999] ^= 1
    (copy / shard_name(2)).write_bytes(content)
    return copy


def evaluate_on_other_classes(make_set: Callable[..., Path], folder: Path) -> list[str]:
    facts = {"classes": label_set("nih15").classes, "image_size": 32, "model": {"name": "simple_cnn"}}
    run = folder / "trained"
    written(run, State(step=1, run=facts))
    test = make_set(folder / "test", "test", 10, labels="nih14")
    settings = (f"checkpoint.directory={run}", f"data.test={test}", "data.labels=nih14")
    return ["evaluate", *(part for each in settings for part in ("--set", each))]


@pytest.mark.parametrize(
    ("name", "code", "start", "end"),
    [
        ("no training set", 2, "data.training: '' is empty", "<destination>/training"),
        ("no manifest", 3, "data.training: '", "run 'cxr-train prepare' to its end or check the path"),
        ("other labels", 3, "data.labels: 'nih14' is not the label set of", "or prepare the films again"),
        ("newer manifest", 3, "data.training: '", "update cxr-train"),
        ("shared patients", 3, "data.validation: '", "which splits by patient"),
        ("other size", 3, "data.validation: '", "prepare both with the same prepare.image_size"),
        ("only damaged checkpoints", 3, "checkpoint.directory: '", "restore one, or choose another directory"),
        ("parts", 2, "train.accumulation_steps: 5 does not divide a rank's 32 films", "over the ranks"),
        ("no checkpoint", 3, "checkpoint.directory: '", "train first, or correct the path"),
        ("other classes", 3, "data.test: '", "the same prepare.image_size and data.labels"),
        ("damaged shard", 3, "", "copy the set anew or run 'cxr-train prepare'"),
    ],
)
def test_what_a_user_can_cure_is_one_line_and_its_exit_code(
    answers: dict[str, Answer], name: str, code: int, start: str, end: str
) -> None:
    answer = answers[name]
    *logged, line = answer.errors.splitlines()
    assert line.startswith(start)
    assert line.endswith(end)
    assert (answer.code, answer.out) == (code, "")
    assert "Traceback" not in answer.errors
    assert logged == [] or name in ("damaged shard", "only damaged checkpoints")


def test_a_damaged_shard_is_named(answers: dict[str, Answer]) -> None:
    line = answers["damaged shard"].errors.splitlines()[-1]
    assert f"{shard_name(2)}: " in line
    assert "is not the SHA-256 in the manifest" in line
