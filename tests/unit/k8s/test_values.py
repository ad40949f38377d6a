"""Values are laid over one another as helm does."""

from pathlib import Path

import pytest

from k8s import values
from trainer.errors import UsageError


def test_files_lie_over_defaults_and_assignments_over_files(tmp_path: Path):
    (tmp_path / "values.yaml").write_text("workers: {count: 2, gpusPerWorker: 1}\nlist: [1, 2]\nkept: 1\ngone: 1\n")
    (tmp_path / "mine.yaml").write_text("workers: {gpusPerWorker: 0}\nlist: [3]\ngone: null\n")
    found = values.load(tmp_path, [tmp_path / "mine.yaml"], ["workers.count=4,training.train.epochs=2"])
    assert found == {
        "workers": {"count": 4, "gpusPerWorker": 0},
        "list": [3],
        "kept": 1,
        "training": {"train": {"epochs": 2}},
    }


def test_a_dot_in_a_key_is_written_with_a_backslash():
    assert values.assigned(r"podAnnotations.sidecar\.istio\.io/inject=false") == {
        "podAnnotations": {"sidecar.istio.io/inject": False}
    }


@pytest.mark.parametrize("text", ["workers", "a[0]=1", "a={1,2}"])
def test_what_only_helm_can_read_is_refused(text):
    with pytest.raises(UsageError, match=r"^--set: .* is not a\.b=c; write lists into a file"):
        values.load(Path("helm"), [], [text])


def test_a_chart_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"--chart: .*values.yaml' cannot be read .*; name the chart's folder"):
        values.load(tmp_path, [], [])


def test_a_missing_or_null_value_has_its_default():
    assert values.at({"a": {"b": None}}, "a.b", 3) == 3
    assert values.at({"a": {"b": 0}}, "a.b", 3) == 0
    assert values.at({"a": 1}, "a.b.c") is None
