"""cxr-train compare, as a user calls it: a table and JSON; runs that cannot be compared are refused."""

import csv
import dataclasses
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.conftest import MakeSet
from tests.s3 import Bucket
from tests.unit.report.conftest import FinishedRun
from trainer.cli import app
from trainer.data.store.opening import open_store
from trainer.labels import label_set
from trainer.metrics.paired import paired
from trainer.report.scores_folder import read_facts, read_scores


def beside(run: FinishedRun, name: str) -> FinishedRun:
    """Another run on the same sets, of which nothing is written yet."""
    place = str(Path(run.config.checkpoint.directory).with_name(name))
    saved = run.config.checkpoint.model_copy(update={"directory": place})
    return FinishedRun(run.config.model_copy(update={"checkpoint": saved}), open_store(place, run.config.store, "test"))


@pytest.fixture
def other(finished: FinishedRun) -> FinishedRun:
    """Scored on both sets, by other scores."""
    run = beside(finished, "other")
    checkpoint = run.write_state()
    for split in ("validation", "test"):
        run.score(split, checkpoint, seed=7)
    return run


def ask(a: FinishedRun | str, b: FinishedRun | str, *more: str, out: Path | None = None) -> Result:
    runs = [each if isinstance(each, str) else each.config.checkpoint.directory for each in (a, b)]
    place = ["--out", str(out)] if out else []
    return CliRunner().invoke(app, ["compare", *runs, "--set", "evaluate.resamples=200", *place, *more])


def scored(run: FinishedRun, split: str = "test"):
    return read_scores(run.store, f"scores-{split}", read_facts(run.store, f"scores-{split}"))


def test_the_json_holds_the_paired_differences_of_the_files(finished, other, tmp_path: Path) -> None:
    answer = ask(finished, other, out=tmp_path / "found.json")
    assert answer.exit_code == 0, answer.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    a, b = scored(finished), scored(other)
    findings = [a.films.classes.index(each) for each in label_set("nih15").findings]
    expected = paired(
        a.films.scores,
        b.films.scores,
        a.films.labels,
        np.array(a.films.patients),
        resamples=200,
        confidence=0.95,
        seed=0,
        mean_over=findings,
    )
    assert found["mean"]["difference"] == dataclasses.asdict(expected.mean.difference)
    assert found["mean"]["p"] == expected.mean.p
    assert list(found["classes"]) == list(a.films.classes)
    assert found["classes"]["Mass"]["a"] == a.scores.classes[a.films.classes.index("Mass")].auroc.value
    assert found["classes"]["Mass"]["b"] == b.scores.classes[a.films.classes.index("Mass")].auroc.value
    assert (found["split"], found["set"]) == ("test", a.digest)
    assert found["a"] == {"where": finished.store.where, "checkpoint": a.written["checkpoint"]}


def test_the_table_tells_classes_mean_and_both_runs(finished, other, tmp_path: Path) -> None:
    answer = ask(finished, other, out=tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())["classes"]["Hernia"]
    (row,) = [line for line in answer.stdout.splitlines() if "Hernia" in line]
    assert f"{found['positives']} / {found['known']}" in row
    assert f"{found['difference']['value']:+.3f}" in row
    assert f"{found['difference']['low']:+.3f} to {found['difference']['high']:+.3f}" in row
    assert f"{found['p']:.3f}" in row
    assert "mean over 14 findings" in answer.stdout
    assert f"{finished.store.where}/step-" in answer.stdout
    assert "60 films of 30 patients" in answer.stdout


def test_a_place_with_brackets_is_told_as_it_is(finished, tmp_path: Path) -> None:
    place = tmp_path / "[a]" / "[" / "b].json"
    place.parent.mkdir(parents=True)
    answer = ask(finished, finished, out=place)
    assert answer.exit_code == 0
    assert str(place) in answer.stdout


def test_a_run_does_not_differ_from_itself(finished: FinishedRun, tmp_path: Path) -> None:
    ask(finished, finished, out=tmp_path / "found.json")
    mean = json.loads((tmp_path / "found.json").read_text())["mean"]
    assert (mean["difference"]["low"], mean["difference"]["high"], mean["p"]) == (0, 0, 1)


def test_another_split_can_be_asked_for(finished, other, tmp_path: Path) -> None:
    ask(finished, other, "--set", "evaluate.split=validation", out=tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["split"], found["films"], found["set"]) == ("validation", 70, scored(finished, "validation").digest)


def test_runs_in_a_bucket_are_compared_and_the_json_is_written_there(finished, other, s3: Bucket) -> None:
    where = {}
    for name, run in (("a", finished), ("b", other)):
        where[name] = f"s3://{s3.name}/{name}"
        bucket = open_store(where[name], s3.config, "test")
        for entry in run.store.entries():
            bucket.write(entry.name, run.store.read(entry.name))
    settings = [f"--set=store.{key}={value}" for key, value in s3.config.model_dump().items() if value != ""]
    answer = ask(where["a"], where["b"], *settings, "--out", f"s3://{s3.name}/told/found.json")
    assert answer.exit_code == 0, answer.stderr
    found = json.loads(open_store(f"s3://{s3.name}/told", s3.config, "test").read("found.json"))
    assert found["b"]["where"] == where["b"]


def test_a_class_without_positives_is_not_defined_and_left_out_of_the_mean(finished, other, tmp_path: Path) -> None:
    for run in (finished, other):
        change(run, {"label Hernia": "0"})
    answer = ask(finished, other, out=tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["classes"]["Hernia"]["difference"]["value"] is None
    assert found["left_out"] == ["Hernia"]
    (row,) = [line for line in answer.stdout.splitlines() if "Hernia" in line and "without" not in line]
    assert "not defined" in row
    assert "nan" not in answer.stdout


def test_classes_that_one_of_the_runs_lacks_are_left_out_and_named(finished, other, tmp_path: Path) -> None:
    change(other, {}, without=["Hernia", "Mass"])
    answer = ask(finished, other, out=tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["only_one_has"] == ["Hernia", "Mass"]
    assert len(found["classes"]) == 13
    assert "only one of the two was scored on them: Hernia, Mass" in answer.stderr


def test_a_run_of_another_label_set_is_compared_by_its_scores_on_the_same_set(finished, other, tmp_path) -> None:
    elsewhere = scored(other)
    for name in ("scores.json", "films.csv"):
        other.store.write(f"scores-test-nih15/{name}", other.store.read(f"scores-test/{name}"))
    rewrite(other, "scores-test", set="0" * 64)
    answer = ask(finished, other, out=tmp_path / "found.json")
    assert answer.exit_code == 0, answer.stderr
    assert json.loads((tmp_path / "found.json").read_text())["set"] == elsewhere.digest


def rewrite(run: FinishedRun, folder: str, **facts: str) -> None:
    """Other facts in scores.json."""
    found = dict(read_facts(run.store, folder)) | facts
    run.store.write(f"{folder}/scores.json", json.dumps(found).encode())


def change(run: FinishedRun, columns: dict[str, str], without: Sequence[str] = ()) -> None:
    """Other values in films.csv, and classes left out of it, as if the set had been so."""
    rows = list(csv.DictReader(io.StringIO(run.store.read("scores-test/films.csv").decode())))
    kept = [each for each in rows[0] if each.partition(" ")[2] not in without]
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, kept, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**row, **columns} for row in rows)
    content = stream.getvalue().encode()
    run.store.write("scores-test/films.csv", content)
    facts = dict(read_facts(run.store, "scores-test"))
    facts["mean_over"] = [each for each in facts["mean_over"] if each not in without]
    facts["films_sha256"] = hashlib.sha256(content).hexdigest()
    run.store.write("scores-test/scores.json", json.dumps(facts).encode())


def refused(answer: Result, tmp_path: Path) -> str:
    """The one line of a DataError; nothing was written."""
    assert answer.exit_code == 3
    assert answer.stderr.count("\n") == 1
    assert answer.stdout == ""
    assert not (tmp_path / "found.json").exists()
    return answer.stderr


def test_runs_scored_on_different_sets_are_refused_by_both_digests(
    finished, other, make_set: MakeSet, tmp_path: Path
) -> None:
    make_set(tmp_path / "newer", "test", 60, seed=3, patient_prefix="d")
    data = other.config.data.model_copy(update={"test": str(tmp_path / "newer")})
    FinishedRun(other.config.model_copy(update={"data": data}), other.store).score(
        "test", scored(other).written["checkpoint"]
    )
    error = refused(ask(finished, other, out=tmp_path / "found.json"), tmp_path)
    assert error.startswith(f"B: '{other.store.where}' was scored on the test set {scored(other).digest}")
    assert scored(finished).digest in error


def test_runs_scored_on_different_splits_are_refused(finished, other, tmp_path: Path) -> None:
    for name in ("scores.json", "films.csv"):
        other.store.write(f"scores-test/{name}", other.store.read(f"scores-validation/{name}"))
    error = refused(ask(finished, other, out=tmp_path / "found.json"), tmp_path)
    assert "holds scores of its validation set in scores-test" in error


def test_runs_that_tell_of_different_films_are_refused_by_both_digests(finished, other, tmp_path: Path) -> None:
    change(other, {"label Mass": "1"})
    error = refused(ask(finished, other, out=tmp_path / "found.json"), tmp_path)
    assert error.startswith(f"B: '{other.store.where}' was scored on other films, patients or labels (")
    assert len(set(re.findall(r"\b[0-9a-f]{64}\b", error))) == 2


def test_an_unfinished_run_is_refused(finished: FinishedRun, tmp_path: Path) -> None:
    run = beside(finished, "stopped")
    run.score("test", run.write_state(epoch=1))
    for pair in ((finished, run), (run, finished)):
        error = refused(ask(*pair, out=tmp_path / "found.json"), tmp_path)
        assert f"'{run.store.where}' is not finished: 1 of 2 epochs are trained; train it to its end" in error


def test_a_run_without_scores_is_refused(finished: FinishedRun, tmp_path: Path) -> None:
    run = beside(finished, "unscored")
    run.score("validation", run.write_state())
    error = refused(ask(finished, run, out=tmp_path / "found.json"), tmp_path)
    assert error.startswith(f"B: '{run.store.where}' holds no scores of its test set; run 'cxr-train evaluate")


def test_a_directory_without_a_run_is_refused(finished: FinishedRun, tmp_path: Path) -> None:
    error = refused(ask(str(tmp_path / "nowhere"), finished, out=tmp_path / "found.json"), tmp_path)
    assert error.startswith(f"A: '{tmp_path / 'nowhere'}' has no good checkpoint; train first")


def test_scores_from_before_the_run_went_on_are_refused(finished, other, tmp_path: Path) -> None:
    before = scored(other).written["checkpoint"]
    other.write_state(epoch=3)
    error = refused(ask(finished, other, out=tmp_path / "found.json"), tmp_path)
    assert f"has been trained on since its test set was scored (at {before})" in error


def test_runs_without_a_common_class_are_refused(finished, other, tmp_path: Path) -> None:
    change(other, {}, without=list(label_set("nih15").classes[1:]))
    change(finished, {}, without=list(label_set("nih15").classes[:1]))
    assert "has no class in common with" in refused(ask(finished, other, out=tmp_path / "found.json"), tmp_path)


def test_a_place_that_names_no_file_is_a_usage_error(finished, other) -> None:
    answer = ask(finished, other, "--out", "folder/")
    assert (answer.exit_code, answer.stderr) == (
        2,
        "--out: 'folder/' names no file; write for example --out comparison.json\n",
    )
