"""What learns: freezing and unfreezing keep what was learnt, across a resume too; weights are where a run begins."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save_file

from trainer.checkpoint.snapshot import State
from trainer.collectives import SingleRank
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.data.pipeline import training_batches
from trainer.data.store.folder import FolderStore
from trainer.errors import DataError
from trainer.learner import Learner
from trainer.run import Run
from trainer.step import Draw, read

DRAW = Draw(tf.constant([1, 2]), tf.constant([3, 4]), tf.constant(0))
UNFREEZING = {"trained_layers": 1, "unfreeze_every_epochs": 1, "unfreeze_layers": 2}


def configured(sets: Path, run: Path, **model: Any) -> Config:
    return Config.model_validate(
        {
            "data": {"training": str(sets / "training"), "validation": ""},
            "model": {"name": "simple_cnn"} | model,
            "train": {"global_batch_size": 8, "epochs": 4, "precision": "float32"},
            "optimizer": {"trunk_rate": 0.5},
            "checkpoint": {"directory": str(run)},
        }
    )


@pytest.fixture
def run(small_sets: Path, tmp_path: Path) -> Any:
    keras.utils.set_random_seed(0)
    opened = Run(configured(small_sets, tmp_path / "run", **UNFREEZING), SingleRank())
    yield opened
    opened.close()


def learner(small_sets: Path, tmp_path: Path) -> Learner:
    keras.utils.set_random_seed(0)
    films = FilmSet.open(FolderStore(small_sets / "training", "data.training"))
    return Learner(configured(small_sets, tmp_path, **UNFREEZING), films, SingleRank(), batches=2)


def learn(run: Run, learns: Learner, epoch: int) -> None:
    learns.enter(epoch)
    for batch in list(
        training_batches(run.training, run.plan(epoch), run.slots, first_batch=0, config=run.config.data)
    )[:2]:
        read(learns.step(batch, DRAW, 1e-2, False))


def test_a_resume_at_an_unfreezing_is_as_if_there_was_none(run: Run, small_sets: Path, tmp_path: Path) -> None:
    straight = learner(small_sets, tmp_path)
    learn(run, straight, 0)
    saved = straight.snapshot(State(step=2, epoch=1, batch=0))
    resumed = learner(small_sets, tmp_path)
    resumed.enter(1)
    resumed.restore(saved)
    for each in (straight, resumed):
        learn(run, each, 1)
        learn(run, each, 2)
    a, b = (each.snapshot(State()) for each in (straight, resumed))
    assert a.optimizer.keys() == b.optimizer.keys()
    for name, value in (a.model | a.optimizer).items():
        np.testing.assert_array_equal(value, (b.model | b.optimizer)[name], err_msg=name)


def test_frozen_layers_do_not_move_and_have_no_moments(run: Run, small_sets: Path, tmp_path: Path) -> None:
    learns = learner(small_sets, tmp_path)
    before = learns.snapshot(State())
    learn(run, learns, 0)
    after = learns.snapshot(State())
    moved = {name.split("/")[0] for name, value in after.model.items() if not np.array_equal(value, before.model[name])}
    assert moved == {"hidden", "head"}
    assert {name.split("/")[0] for name in after.optimizer} == {"hidden", "head", "updates"}


def test_moments_that_ought_to_be_there_are_missed(run: Run, small_sets: Path, tmp_path: Path) -> None:
    learns = learner(small_sets, tmp_path)
    learn(run, learns, 0)
    saved = learns.snapshot(State(step=2, epoch=1, batch=0))
    del saved.optimizer["head/kernel/m"]
    with pytest.raises(DataError, match="head/kernel/m"):
        learns.restore(saved)


def test_a_run_begins_from_the_weights_it_names(small_sets: Path, tmp_path: Path, caplog: Any) -> None:
    keras.utils.set_random_seed(1)
    first = Run(configured(small_sets, tmp_path / "first"), SingleRank())
    weights = {each.path: each.numpy() for each in first.model.variables}
    first.close()
    save_file(weights, tmp_path / "model.safetensors")
    keras.utils.set_random_seed(2)
    with caplog.at_level("INFO", "cxr_train"):
        config = configured(small_sets, tmp_path / "second", weights=str(tmp_path / "model.safetensors"))
        second = Run(config, SingleRank())
    second.close()
    assert "trunk loaded, head new" in caplog.text
    for each in second.model.variables:
        assert np.array_equal(each.numpy(), weights[each.path]) != each.path.startswith("head/kernel")


def test_weights_of_another_network_stop_the_run(small_sets: Path, tmp_path: Path) -> None:
    save_file({"stem_conv/kernel": np.zeros((7, 7, 1, 64), np.float32)}, tmp_path / "model.safetensors")
    config = configured(small_sets, tmp_path / "run", weights=str(tmp_path / "model.safetensors"))
    with pytest.raises(DataError, match="has nothing for block1_conv/kernel, whose shape is"):
        Run(config, SingleRank())
