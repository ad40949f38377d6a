"""Where this process stands among the ranks, and which cores are its own. Pure: the environment is passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.errors import UsageError

# Who started the ranks shows in the variables: (rank, world size, local rank, local size).
_LAUNCHERS = (
    ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK", "HOROVOD_LOCAL_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
)
_BOUND_BY_OPEN_MPI = "OMPI_MCA_orte_bound_at_launch"


@dataclass(frozen=True)
class Topology:
    """One rank's place: ``rank`` of ``world_size``, ``local_rank`` of ``local_size`` on its node."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """True on the rank that writes, logs and decides what to resume."""
        return self.rank == 0

    def slots(self, global_batch_size: int) -> range:
        """The contiguous run of the global batch's slots that this rank fills; see ``films_per_rank``."""
        share = films_per_rank(global_batch_size, self.world_size)
        return range(self.rank * share, (self.rank + 1) * share)


def films_per_rank(global_batch_size: int, world_size: int) -> int:
    """A rank's equal share of the global batch; raises UsageError unless the world size divides it."""
    share, rest = divmod(global_batch_size, world_size)
    if rest or not share:
        raise UsageError(
            "train.global_batch_size",
            global_batch_size,
            f"is not divisible by {world_size} ranks",
            f"use {global_batch_size + -global_batch_size % world_size}, or another number of ranks",
        )
    return share


def from_environment(environment: Mapping[str, str]) -> Topology:
    """The place that Horovod's launcher or Open MPI's mpirun gave this process; alone if neither did."""
    for names in _LAUNCHERS:
        if names[0] in environment:
            rank, world_size, local_rank, local_size = (int(environment[name]) for name in names)
            return Topology(rank, world_size, local_rank, local_size)
    return Topology()


def is_rank(environment: Mapping[str, str]) -> bool:
    """True in a process that a launcher started as one of several ranks: ours, or an outer mpirun."""
    return any(names[0] in environment for names in _LAUNCHERS)


def own_cores(topology: Topology, cores: Sequence[int], environment: Mapping[str, str]) -> tuple[int, ...]:
    """The cores of ``cores`` (those the process may use) that this rank is to be pinned to.

    Ranks of a node share its cores evenly, in runs of neighbours, so that two never compete for one.
    A process that mpirun has bound already, or a node with fewer cores than ranks, keeps what it has.
    """
    bound = environment.get(_BOUND_BY_OPEN_MPI) == "1"
    if bound or len(cores) < topology.local_size:
        return tuple(cores)
    ordered = sorted(cores)
    start = topology.local_rank * len(ordered) // topology.local_size
    end = (topology.local_rank + 1) * len(ordered) // topology.local_size
    return tuple(ordered[start:end])
