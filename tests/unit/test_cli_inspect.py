"""``cxr-train inspect``: what a set holds on stdout, damage as one line on stderr with exit code 3."""

import shutil
from pathlib import Path

from typer.testing import CliRunner

from trainer.cli import app


def inspect(*words: str) -> tuple[int, str, list[str]]:
    answer = CliRunner().invoke(app, ["inspect", *words])
    return answer.exit_code, answer.stdout, answer.stderr.splitlines()


def test_counts_prevalence_and_how_it_was_made_are_shown(small_sets: Path) -> None:
    code, text, lines = inspect(str(small_sets))
    assert code == 0
    for words in ("training", "validation", "150", "70", "32x32 raw", "Pneumothorax", "%", "cxr-train test"):
        assert words in text
    assert lines[-1] == "verified 7 shards: all as their manifests say"


def test_a_damaged_shard_is_one_line_and_exit_code_3_unless_not_verified(small_sets: Path, tmp_path: Path) -> None:
    shutil.copytree(small_sets / "training", tmp_path / "training")
    shard = tmp_path / "training" / "shard-00002.tfrecord"
    shard.write_bytes(b"x" * shard.stat().st_size)
    code, _, lines = inspect(str(tmp_path))
    assert code == 3
    assert str(shard) in lines[-1]
    code, text, lines = inspect(str(tmp_path), "--no-verify")
    assert (code, lines) == (0, [])
    assert "150" in text


def test_the_sheet_is_a_png_without_a_patient(small_sets: Path, tmp_path: Path) -> None:
    code, _, lines = inspect(str(small_sets), "--no-verify", "--sheet", str(tmp_path / "sheet.png"), "--seed", "7")
    assert (code, lines) == (0, [f"wrote {tmp_path / 'sheet.png'}"])
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
