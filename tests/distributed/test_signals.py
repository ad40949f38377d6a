"""A signal to any rank, or to the launcher: all ranks agree, commit a checkpoint, and leave together."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from trainer.checkpoint.reading import newest

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("mpirun") is None, reason="no mpirun on this machine"),
]


@pytest.fixture(scope="module")
def outer(start_job, tmp_path_factory: pytest.TempPathFactory):
    """A job under an mpirun of the user's own, of which rank 1 got SIGTERM in mid-epoch; and its ranks' cores."""
    folder = tmp_path_factory.mktemp("outer")
    with start_job("train", folder, "train.epochs=100000", altered="slow_checkpoint", mpirun=True) as job:
        job.hears(r"step 3/19")
        ranks = job.ranks()
        cores = {rank: set(process.cpu_affinity()) for rank, process in ranks.items()}
        ranks[1].send_signal(signal.SIGTERM)
        job.code()
        yield job, cores


def test_a_rank_finds_its_place_under_an_outer_mpirun(outer) -> None:
    job, _ = outer
    assert "2 ranks" in job.said


def test_ranks_under_an_outer_mpirun_share_no_core(outer) -> None:
    _, cores = outer
    assert cores.keys() == {0, 1}
    assert not cores[0] & cores[1]


def test_sigterm_to_one_rank_under_an_outer_mpirun_stops_all_after_a_checkpoint(outer) -> None:
    job, _ = outer
    assert job.code() == 143
    _all_left_after_a_checkpoint(job)


def test_a_rank_that_dies_under_mpirun_ends_the_run_and_is_spoken_of(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, "train.epochs=100000", "collectives.launcher=mpi") as job:
        job.hears(r"step 3/19")
        ranks = job.ranks()
        began = time.monotonic()
        ranks[1].kill()
        assert job.code() == 137
        assert time.monotonic() - began < 30
        assert "a rank under mpirun: ended by SIGKILL (exit 137); the run stops" in job.said


def test_ctrl_c_to_the_mpi_launcher_stops_all_after_a_checkpoint(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, "train.epochs=100000", "collectives.launcher=mpi") as job:
        job.hears(r"step 3/19")
        job.process.send_signal(signal.SIGINT)
        assert job.code() == 143
        _all_left_after_a_checkpoint(job)


def _all_left_after_a_checkpoint(job) -> None:
    found, skipped = newest(job.store)
    assert found
    assert not skipped
    assert f"rank 0: signal: 'step {found.mark.step}' was the last one, its checkpoint is committed" in job.said
    assert job.left() == {0: 143, 1: 143}
