"""What is exported runs where this project is not, and gives the scores that the trainer gave."""

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trainer.data.film.images import resize
from trainer.data.film_set import FilmSet
from trainer.data.plan import scoring_batch
from trainer.data.store.folder import FolderStore

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

ALONE = """
import sys

for name in ("trainer", "k8s", "horovod"{also}):
    sys.modules[name] = None  # So that an import of it fails, as where it is not installed.
import numpy as np

films, out = np.load(sys.argv[2]), sys.argv[3]
"""

RUNS = {
    "saved_model": """
import tensorflow as tf

loaded = tf.saved_model.load(sys.argv[1])
given = loaded.signatures["serving_default"](films=tf.constant(films))
np.savez(out, **{name: each.numpy().astype("U" if name == "classes" else each.dtype.as_numpy_dtype)
                 for name, each in given.items()})
""",
    "model.keras": """
import keras

np.savez(out, probabilities=np.asarray(keras.models.load_model(sys.argv[1], safe_mode=True)(films, training=False)))
""",
    "model.onnx": """
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
names = [each.name for each in session.get_outputs()]
given = dict(zip(names, session.run(None, {"films": films})))
given["classes"] = given["classes"].astype("U")
np.savez(out, **given)
""",
}
ALSO = {"saved_model": ', "keras"', "model.keras": "", "model.onnx": ', "keras", "tensorflow", "onnx"'}


@pytest.fixture(scope="module")
def run(start_job, scored_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run that was scored on validation and exported in every form."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(scored_run, folder / "run")
    forms = "export.formats=[saved_model, keras, onnx]"
    with start_job("export", folder, "export.destination=out", forms, ranks=1) as job:
        job.done()
    return folder


@pytest.fixture(scope="module")
def films(small_sets: Path) -> np.ndarray:
    """The validation set's, uint8 [70, 32, 32, 1]."""
    found = FilmSet.open(FolderStore(small_sets / "validation", "data.validation"))
    return found.gather(scoring_batch(found.records_per_shard, 0, 70)).images.copy()


def evaluated(run: Path) -> tuple[list[str], np.ndarray]:
    """Classes, and the scores that ``evaluate`` gave, [films, classes]."""
    with (run / "run" / "scores-validation" / "films.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    classes = [each.removeprefix("score ") for each in rows[0] if each.startswith("score ")]
    return classes, np.array([[float(row[f"score {each}"]) for each in classes] for row in rows])


def run_alone(form: str, file: Path, films: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """What an isolated process that knows nothing of this project gets for these films."""
    program = ALONE.format(also=ALSO[form]) + RUNS[form]
    np.save(folder / "films.npy", films)
    command = [sys.executable, "-I", "-c", program, str(file), str(folder / "films.npy"), str(folder / "given.npz")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(folder / "given.npz") as given:
        return dict(given)


@pytest.mark.parametrize("form", list(RUNS))
def test_it_gives_the_trainers_scores_where_the_project_is_not(run: Path, films, tmp_path: Path, form: str) -> None:
    classes, expected = evaluated(run)
    given = run_alone(form, run / "out" / form, films, tmp_path)
    assert np.abs(given["probabilities"] - expected).max() < 1e-4
    if form != "model.keras":
        assert given["classes"].tolist() == classes
        facts = json.loads((run / "out" / "export.json").read_text())
        for rule, values in facts["thresholds"].items():
            np.testing.assert_array_equal(given[f"threshold_{rule}"], np.array(values, np.float32))


@pytest.mark.parametrize("form", ["saved_model", "model.onnx"])
def test_films_of_any_size_need_no_preparing(run: Path, films, tmp_path: Path, form: str) -> None:
    larger = np.kron(films, np.ones((1, 4, 4, 1), np.uint8))[:5, :, 10:-17]
    stored = np.stack([resize(film, 32) for film in larger[..., 0]])[..., np.newaxis]
    given, whole = (run_alone(form, run / "out" / form, each, tmp_path) for each in (larger, stored))
    np.testing.assert_allclose(given["probabilities"], whole["probabilities"], atol=1e-6)


def test_the_facts_beside_it_name_the_files_and_how_far_they_differ(run: Path) -> None:
    facts = json.loads((run / "out" / "export.json").read_text())
    assert set(facts["largest_difference"]) == {"saved_model", "model.keras", "model.onnx"}
    assert max(facts["largest_difference"].values()) <= 1e-4
    assert facts["checked_on"] == {"films": 64, "from": "the validation set"}
    for name, digest in facts["sha256"].items():
        assert hashlib.sha256((run / "out" / name).read_bytes()).hexdigest() == digest
    assert {name.partition("/")[0] for name in facts["sha256"]} == {"saved_model", "model.keras", "model.onnx"}


def test_without_a_set_at_hand_drawn_films_are_scored(run: Path, start_job) -> None:
    none = [f"data.{split}=" for split in ("training", "validation")]
    with start_job("export", run, "export.destination=drawn", "export.formats=keras", *none, ranks=1) as job:
        job.done()
    assert json.loads((run / "drawn" / "export.json").read_text())["checked_on"]["from"] == "drawn at random"


def test_nothing_is_written_that_scores_differently(run: Path, start_job) -> None:
    with start_job("export", run, "export.destination=wrong", ranks=1, altered="export_another_network") as job:
        assert job.code() == 5
    assert "differs by" in job.said
    assert "nothing was written" in job.said
    assert not (run / "wrong").exists()
