"""What ranks refuse before and while they talk, without any other rank."""

import pytest
import tensorflow as tf

from trainer import collectives
from trainer.collectives import SingleRank, horovod_environment, refuse_lost_peer
from trainer.config import CollectivesConfig
from trainer.errors import ClusterError, PeerLost
from trainer.topology import Topology


def test_one_rank_asks_nobody() -> None:
    assert isinstance(collectives.start(Topology(), CollectivesConfig()), SingleRank)


def test_another_number_of_ranks_than_asked_for_is_refused() -> None:
    with pytest.raises(
        ClusterError, match=r"^collectives.expected_ranks: 4 ranks were asked for, 1 came; start as many"
    ):
        collectives.start(Topology(), CollectivesConfig(expected_ranks=4))


def test_a_place_that_horovod_does_not_share_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"'rank 1 of 2' is rank 0 of 1 to Horovod, .*'make env'"):
        collectives._refuse_other_place(Topology(1, 2, 1, 2), 0, 1)
    collectives._refuse_other_place(Topology(1, 2, 1, 2), 1, 2)


@pytest.mark.parametrize(
    "said",
    [
        "Horovod has been shut down. This was caused by an exception on one of the ranks",
        "HorovodAllreduce failed: Connection closed by peer",
    ],
)
def test_horovods_word_that_a_rank_is_gone_is_worth_a_retry(said: str) -> None:
    with pytest.raises(PeerLost) as error:
        refuse_lost_peer(tf.errors.UnknownError(None, None, said), Topology(1, 2))
    assert error.value.exit_code == 144


@pytest.mark.parametrize("said", ["Horovod: Mismatched allreduce tensor shapes", "out of memory"])
def test_what_would_come_again_is_not_taken_for_a_lost_rank(said: str) -> None:
    refuse_lost_peer(tf.errors.UnknownError(None, None, said), Topology(1, 2))


def test_a_cpu_rank_lets_horovod_sleep_longer() -> None:
    assert horovod_environment(deterministic=False, on_gpu=False, environment={})["HOROVOD_CYCLE_TIME"] == "20"
    assert "HOROVOD_CYCLE_TIME" not in horovod_environment(deterministic=False, on_gpu=True, environment={})


def test_cpu_ranks_fuse_less_under_mpi() -> None:
    assert horovod_environment(False, on_gpu=False, environment={})["HOROVOD_FUSION_THRESHOLD"] == str(8 * 2**20)
    assert "HOROVOD_FUSION_THRESHOLD" not in horovod_environment(False, False, {"HOROVOD_CONTROLLER": "gloo"})
    assert "HOROVOD_FUSION_THRESHOLD" not in horovod_environment(False, on_gpu=True, environment={})


def test_equal_sums_need_tensors_that_are_never_fused() -> None:
    assert horovod_environment(deterministic=True, on_gpu=False, environment={})["HOROVOD_FUSION_THRESHOLD"] == "0"


def test_what_the_user_has_set_stays() -> None:
    assert "HOROVOD_CYCLE_TIME" not in horovod_environment(False, False, {"HOROVOD_CYCLE_TIME": "1"})
