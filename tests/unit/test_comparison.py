"""The settings of the comparison on real films: what its runs share, and what each is there to show."""

from pathlib import Path

import pytest

from trainer import settings
from trainer.config import Config
from trainer.optimizer import learning_rate

_DOCS = Path(__file__).parents[2] / "docs"
_FILES = sorted((_DOCS / "comparison").glob("*.yaml"))
_COMPARED = ("simple_cnn", "notebook", "mended", "transfer")


def load(name: str) -> Config:
    return settings.load(_DOCS / "comparison" / f"{name}.yaml", [])


@pytest.mark.parametrize("file", [*_FILES, *_DOCS.glob("*.yaml")], ids=lambda file: file.stem)
def test_settings_in_the_docs_load_and_save_in_a_folder_named_after_their_file(file: Path) -> None:
    assert Path(settings.load(file, []).checkpoint.directory) == Path("runs", file.stem)


@pytest.mark.parametrize("name", _COMPARED)
def test_compared_runs_have_the_same_films_epochs_batches_loss_and_scoring(name: str) -> None:
    ours, theirs = load(name), load("notebook")
    assert (ours.data, ours.loss, ours.evaluate) == (theirs.data, theirs.loss, theirs.evaluate)
    assert (ours.train.epochs, ours.train.global_batch_size) == (15, 32)
    assert (ours.train.seed, ours.evaluate.checkpoint) == (0, "last")


def test_the_small_network_differs_from_the_notebooks_resnet_in_nothing_else() -> None:
    tree = load("simple_cnn").model_dump()
    tree["model"]["name"], tree["checkpoint"]["directory"] = "resnet34", "runs/notebook"
    assert tree == load("notebook").model_dump()


def test_the_notebooks_run_is_plain_adamw_at_a_constant_rate_on_films_as_stored() -> None:
    config = load("notebook")
    rates = {
        learning_rate(config.optimizer, step=at, steps=750, epoch=at // 50, global_batch_size=32) for at in (0, 9, 749)
    }
    assert rates == {1e-4}
    assert not config.train.augment.enabled
    assert config.loss.class_weights == "none"
    assert config.model.dropout == 0


def test_the_mended_run_is_the_same_network_augmented_dropped_out_decayed_warmed_up_and_cooled_down() -> None:
    mended, notebook = load("mended"), load("notebook")
    rates = [learning_rate(mended.optimizer, step=at, steps=750, epoch=0, global_batch_size=32) for at in (0, 99, 749)]
    assert mended.model.name == notebook.model.name
    assert mended.train.augment.enabled
    assert mended.model.dropout > 0
    assert mended.optimizer.weight_decay > notebook.optimizer.weight_decay
    assert rates[0] < rates[1] == mended.optimizer.learning_rate
    assert rates[2] < 0.01 * rates[1]
    # After the first tenth of the run, less than a hundredth of what the moving statistics began with is left.
    assert mended.model.batch_norm_momentum**75 < 0.01


def test_the_transferred_run_is_the_mended_one_but_for_its_first_weights() -> None:
    tree = load("transfer").model_dump()
    tree["model"]["weights"], tree["checkpoint"]["directory"] = "", "runs/mended"
    assert tree == load("mended").model_dump()


def test_it_begins_from_the_last_checkpoint_of_the_run_on_phantoms_whose_network_is_the_same() -> None:
    transfer, pretrain = load("transfer"), load("pretrain")
    folder = Path(transfer.model.weights).parent
    assert folder.parent == Path(pretrain.checkpoint.directory)
    assert int(folder.name.split("-")[1]) % pretrain.train.epochs == 0
    for setting in ("name", "channels", "conv_bias", "layout", "hidden_units"):
        assert getattr(transfer.model, setting) == getattr(pretrain.model, setting)


def test_pretraining_sees_phantoms_alone() -> None:
    pretrain = load("pretrain")
    prepared = Path(pretrain.prepare.destination)
    assert all(Path(each).is_relative_to(prepared) for each in (*pretrain.prepare.source, pretrain.prepare.table))
    assert {Path(getattr(pretrain.data, each)) for each in ("training", "validation", "test")} == {
        prepared / each for each in ("training", "validation", "test")
    }
