"""What one rank meets, all ranks decide on together."""

import pytest

from trainer.checkpoint.reading import newest

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

NEVER_BETTER = ("train.early_stopping.patience_validations=1", "train.early_stopping.minimum_improvement=1")


@pytest.fixture(scope="module")
def finished(start_job, tmp_path_factory: pytest.TempPathFactory):
    """A run whose rank 1 had a gradient of NaN at step 3, and whose score does not get better after epoch 1."""
    folder = tmp_path_factory.mktemp("agreement")
    with start_job("train", folder, "train.epochs=9", *NEVER_BETTER, altered="nan_gradient") as job:
        yield job.done()


def test_a_gradient_that_is_not_finite_on_one_rank_is_skipped_by_all(finished) -> None:
    said = [line.partition(" ")[2] for line in finished.lines if "skipped" in line]
    about = "warning: step 3 skipped: the averaged gradient is not finite"
    assert sorted(said) == sorted([about, f"rank 1: {about}"])


def test_a_skipped_step_counts_as_a_step_but_updates_nothing(finished) -> None:
    found, _ = newest(finished.store)
    assert found
    assert int(found.snapshot.optimizer["updates"]) == found.snapshot.state.step - 1


def test_all_ranks_stop_early_together(finished) -> None:
    found, _ = newest(finished.store)
    assert found
    assert (found.snapshot.state.epoch, found.snapshot.state.stopped_early) == (2, True)
