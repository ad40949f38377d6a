"""``cxr-train inspect``: what a set holds on stdout, damage as one line on stderr with exit code 3."""

import json
import shutil
from pathlib import Path

from typer.testing import CliRunner

from tests.conftest import demographics_of
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


def test_films_by_sex_age_and_view_are_shown(small_sets: Path) -> None:
    _, text, _ = inspect(str(small_sets), "--no-verify")
    rows = rows_of(text)
    people = [demographics_of(film) for film in range(150)]
    for trait, name in (("sex", "F"), ("age", "80+"), ("view", "lateral")):
        count = sum(each.group(trait) == name for each in people)
        assert rows[f"{trait} {name}"][0] == f"{count} ({count / 150:.1%})"
    assert rows["view unknown"] == ["15 (10.0%)", "7 (10.0%)"]
    assert "sex O" not in rows


def test_of_a_set_of_format_version_2_the_demographics_are_unknown(small_sets: Path, tmp_path: Path) -> None:
    shutil.copytree(small_sets / "training", tmp_path / "training")
    manifest = json.loads((tmp_path / "training" / "manifest.json").read_bytes())
    del manifest["people"]
    (tmp_path / "training" / "manifest.json").write_text(json.dumps(manifest | {"format_version": 2}))
    code, text, _ = inspect(str(tmp_path), "--no-verify")
    assert code == 0
    rows = rows_of(text)
    assert [rows[f"{trait} unknown"] for trait in ("sex", "age", "view")] == [["150 (100.0%)"]] * 3


def rows_of(text: str) -> dict[str, list[str]]:
    """The tables' rows by their first cell."""
    lines = ([cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines())
    return {cells[0]: cells[1:] for cells in lines if cells}


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
