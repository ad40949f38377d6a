"""A job whose ranks do not average, or were not given the same, stops before it can do harm."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

RANK_1_DIFFERS = "'rank 1' differs from the other ranks; give every rank the same program and settings"


def test_ranks_that_do_not_average_are_stopped_at_the_start(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, altered="sum_nothing") as job:
        assert job.code() == 5
        assert job.lines == [
            "rank 0: collectives: 0.0 is not the sum of the ranks' numbers, 1.0; ranks do not average: stop"
        ]


def test_gradients_that_are_not_averaged_are_named_after_the_first_step(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, altered="sum_no_gradient") as job:
        assert job.code() == 5
        assert not any("step 1/" in line for line in job.lines), job.said
        assert job.of_ranks() == [f"rank 0: weights: {RANK_1_DIFFERS}"]


def test_ranks_with_other_settings_are_named_at_the_start(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, altered="another_setting") as job:
        assert job.code() == 5
        assert job.lines == [f"rank 0: configuration: {RANK_1_DIFFERS}"]


def test_a_batch_that_ranks_do_not_divide_is_refused_before_any_rank_starts(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, "train.global_batch_size=9") as job:
        assert job.code() == 2
        assert job.lines == [
            "train.global_batch_size: 9 is not divisible by 2 ranks; use 10, or another number of ranks"
        ]
        assert not job.directory.exists()


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
def test_a_gpu_that_is_asked_for_and_not_there_stops_the_job(start_job, tmp_path: Path) -> None:
    with start_job("train", tmp_path, "train.device=gpu") as job:
        assert job.code() == 2
        cure = "install the extra gpu (of images, build and use the target gpu), or set train.device=cpu"
        assert f"train.device: 'gpu' but this TensorFlow is built for CPUs; {cure}" in job.lines[0]
        assert not job.directory.exists()
