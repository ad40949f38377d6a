"""A rank's place, slots and cores, from nothing but the environment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.errors import UsageError
from trainer.topology import Topology, films_per_rank, from_environment, is_rank, own_cores

HOROVOD = {"HOROVOD_RANK": "5", "HOROVOD_SIZE": "8", "HOROVOD_LOCAL_RANK": "1", "HOROVOD_LOCAL_SIZE": "4"}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_SIZE": "3",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "1",
}


def test_a_process_nobody_launched_is_alone() -> None:
    assert from_environment({}) == Topology(0, 1, 0, 1)
    assert from_environment({}).is_first
    assert not is_rank({})


def test_the_place_horovods_launcher_gave_is_read() -> None:
    assert from_environment(HOROVOD) == Topology(rank=5, world_size=8, local_rank=1, local_size=4)


def test_the_place_mpirun_gave_is_read() -> None:
    assert from_environment(OPEN_MPI) == Topology(rank=2, world_size=3, local_rank=0, local_size=1)


@pytest.mark.parametrize("environment", [HOROVOD, OPEN_MPI], ids=["horovod", "mpirun"])
def test_a_launched_process_is_a_rank(environment: dict[str, str]) -> None:
    assert is_rank(environment)
    assert not from_environment(environment).is_first


@given(share=st.integers(1, 40), world_size=st.integers(1, 40))
def test_ranks_share_the_slots_evenly_in_their_order(share: int, world_size: int) -> None:
    batch = share * world_size
    slots = [slot for rank in range(world_size) for slot in Topology(rank, world_size).slots(batch)]
    assert slots == list(range(batch))
    assert {len(Topology(rank, world_size).slots(batch)) for rank in range(world_size)} == {share}


def test_a_batch_that_ranks_do_not_divide_is_refused_with_the_next_that_they_do() -> None:
    with pytest.raises(UsageError) as caught:
        films_per_rank(32, 3)
    assert str(caught.value) == (
        "train.global_batch_size: 32 is not divisible by 3 ranks; use 33, or another number of ranks"
    )


def test_fewer_films_than_ranks_are_refused() -> None:
    with pytest.raises(UsageError, match="4 is not divisible by 8 ranks; use 8"):
        films_per_rank(4, 8)


@given(data=st.data(), local_size=st.integers(1, 16))
def test_ranks_of_a_node_never_share_a_core_and_leave_none_idle(data: st.DataObject, local_size: int) -> None:
    cores = data.draw(st.lists(st.integers(0, 255), min_size=local_size, max_size=64, unique=True))
    given_out = [own_cores(Topology(r, local_size, r, local_size), cores, {}) for r in range(local_size)]
    assert sorted(core for own in given_out for core in own) == sorted(cores)
    sizes = [len(own) for own in given_out]
    assert max(sizes) - min(sizes) <= 1


def test_a_rank_gets_neighbouring_cores() -> None:
    assert own_cores(Topology(1, 2, 1, 2), [7, 0, 6, 1, 4, 5, 2, 3], {}) == (4, 5, 6, 7)


def test_a_rank_that_mpirun_has_bound_keeps_its_cores() -> None:
    bound = {"OMPI_MCA_orte_bound_at_launch": "1"}
    assert own_cores(Topology(1, 2, 1, 2), [3, 9], bound) == (3, 9)


def test_a_node_with_fewer_cores_than_ranks_shares_them_all() -> None:
    assert own_cores(Topology(2, 3, 2, 3), [0, 1], {}) == (0, 1)
