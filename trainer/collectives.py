"""What ranks do together. The only file that imports Horovod's TensorFlow binding.

Horovod's Keras wrappers do not average on Keras 3, and say nothing; here every gradient is summed by a named
allreduce in the graph, and the start of a run proves it.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import CollectivesConfig
from trainer.errors import ClusterError, PeerLost, SelfTestError
from trainer.topology import Topology


class Collectives(Protocol):
    """What a training step and a run ask of the other ranks. Every rank must make the same calls in the same order."""

    topology: Topology

    def allreduce(self, tensors: Sequence[tf.Tensor], names: Sequence[str]) -> list[tf.Tensor]:
        """Each tensor's sum over ranks (in graph, not differentiated); names tell tensors apart across ranks."""

    def average_in_model(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """A tensor's mean over ranks, differentiable: for synchronised batch norm."""

    def broadcast(self, variables: Sequence[tf.Variable]) -> None:
        """Sets the variables of every rank to rank 0's."""

    def broadcast_bytes(self, data: bytes) -> bytes:
        """Rank 0's bytes, on every rank."""

    def gather(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """All ranks' rows [n_rank, ...] in the order of the ranks, on every rank."""


class SingleRank:
    """One rank has nobody to ask."""

    topology = Topology()

    def allreduce(self, tensors: Sequence[tf.Tensor], names: Sequence[str]) -> list[tf.Tensor]:  # noqa: ARG002
        """The tensors themselves."""
        return list(tensors)

    def average_in_model(self, tensor: tf.Tensor, name: str) -> tf.Tensor:  # noqa: ARG002
        """The tensor itself."""
        return tensor

    def broadcast(self, variables: Sequence[tf.Variable]) -> None:
        """Nothing to do."""

    def broadcast_bytes(self, data: bytes) -> bytes:
        """The bytes themselves."""
        return data

    def gather(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The rows themselves."""
        return rows


class HorovodRanks:
    """Ranks that talk through Horovod."""

    def __init__(self, topology: Topology, config: CollectivesConfig) -> None:
        import horovod.tensorflow as hvd

        self._hvd = hvd
        hvd.init()
        _refuse_other_place(topology, hvd.rank(), hvd.size())
        self.topology = topology
        self._compression = {"none": hvd.Compression.none, "fp16": hvd.Compression.fp16}[config.compression]
        self._gathers = 0

    def allreduce(self, tensors: Sequence[tf.Tensor], names: Sequence[str]) -> list[tf.Tensor]:
        """One named allreduce a tensor; Horovod fuses those that are ready together."""
        return [self._sum(tensor, name) for tensor, name in zip(tensors, names, strict=True)]

    def _sum(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        # A sum, because Horovod's average is one more pass over all gradients, and a step divides by the films anyway.
        compression = self._compression if name.startswith("gradient/") else self._hvd.Compression.none
        return self._hvd.allreduce(tensor, name=name, op=self._hvd.Sum, compression=compression)

    def average_in_model(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        """An uncompressed allreduce, whose gradient is an allreduce again."""
        return self._hvd.allreduce(tensor, name=name, op=self._hvd.Average)

    def broadcast(self, variables: Sequence[tf.Variable]) -> None:
        """Takes plain ``tf.Variable``: of a Keras variable, its ``.value``."""
        with _naming_a_lost_peer(self.topology):
            self._hvd.broadcast_variables(list(variables), root_rank=0)

    def broadcast_bytes(self, data: bytes) -> bytes:
        """Sent as an array of uint8, never as a pickle."""
        sizes = self.gather(np.array([len(data)], dtype=np.int64))
        sent = np.frombuffer(data, dtype=np.uint8) if self.topology.is_first else np.zeros(sizes[0], dtype=np.uint8)
        with _naming_a_lost_peer(self.topology):
            return bytes(self._hvd.broadcast(tf.constant(sent), root_rank=0, name=self._next_name()).numpy())

    def gather(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Ranks may bring different numbers of rows."""
        with _naming_a_lost_peer(self.topology):
            gathered: npt.NDArray[Any] = self._hvd.allgather(tf.constant(rows), name=self._next_name()).numpy()
        return gathered

    def _next_name(self) -> str:
        self._gathers += 1
        return f"exchange/{self._gathers}"


def _refuse_other_place(topology: Topology, rank: int, world_size: int) -> None:
    if (rank, world_size) != (topology.rank, topology.world_size):
        raise ClusterError(
            "collectives",
            f"rank {topology.rank} of {topology.world_size}",
            f"is rank {rank} of {world_size} to Horovod, which was built without what started the ranks",
            "install libopenmpi-dev and run 'make env', or start with --ranks",
        )


class _naming_a_lost_peer:  # noqa: N801 - reads as a statement
    """Turns what Horovod raises when another rank dies into PeerLost, so that the dead rank's own error leads."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            refuse_lost_peer(error, self._topology)


def refuse_lost_peer(error: BaseException, topology: Topology) -> None:
    """Raises PeerLost if the error is Horovod's word that another rank is gone; returns otherwise."""
    # Ranks that ask for different things are still there: that is our mistake, and would come again.
    from_graph = isinstance(error, tf.errors.OpError) and "orovod" in str(error) and "Mismatched" not in str(error)
    if from_graph or type(error).__name__ == "HorovodInternalError":
        raise PeerLost(
            "collectives",
            f"rank {topology.rank}",
            "lost another rank of the job",
            "look for the error of the rank that ended first",
        ) from error


def start(topology: Topology, config: CollectivesConfig) -> Collectives:
    """Joins the ranks; raises ClusterError if their number is not what the job asked for."""
    if config.expected_ranks and topology.world_size != config.expected_ranks:
        raise ClusterError(
            "collectives.expected_ranks",
            config.expected_ranks,
            f"ranks were asked for, {topology.world_size} came",
            "start as many ranks, or correct the number",
        )
    return SingleRank() if topology.world_size == 1 else HorovodRanks(topology, config)


def self_test(ranks: Collectives) -> None:
    """Proves that ranks add up: the sum of the ranks' numbers is n (n - 1) / 2. Raises SelfTestError."""
    topology = ranks.topology
    measured = float(tf.function(ranks.allreduce)([tf.constant(float(topology.rank))], ["self_test"])[0])
    expected = topology.world_size * (topology.world_size - 1) / 2
    _together(
        ranks,
        measured == expected,
        SelfTestError(
            "collectives", measured, f"is not the sum of the ranks' numbers, {expected}", "ranks do not average: stop"
        ),
    )


def same_everywhere(ranks: Collectives, what: str, data: bytes) -> None:
    """Raises SelfTestError, on every rank, naming the ranks whose ``data`` differs from most others'."""
    digest = np.frombuffer(hashlib.blake2b(data, digest_size=32).digest(), dtype=np.uint8)
    digests = [row.tobytes() for row in ranks.gather(digest[None, :])]
    (common, _), *others = Counter(digests).most_common()
    if others:
        different = ", ".join(str(rank) for rank, each in enumerate(digests) if each != common)
        raise SelfTestError(
            what, f"rank {different}", "differs from the other ranks", "give every rank the same program and settings"
        )


def weight_hash(variables: Iterable[npt.NDArray[Any]]) -> bytes:
    """A digest of arrays, in their order: equal on two ranks if and only if every bit is."""
    digest = hashlib.blake2b(digest_size=32)
    for array in variables:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.digest()


def any_rank(ranks: Collectives, flag: bool) -> bool:
    """True on every rank if it is on one."""
    return bool(ranks.gather(np.array([flag])).any())


def barrier(ranks: Collectives) -> None:
    """Returns once every rank has come here."""
    any_rank(ranks, False)


def _together(ranks: Collectives, passed: bool, error: SelfTestError) -> None:
    """One rank's failure is every rank's: none goes on to wait for one that has left."""
    failed = np.flatnonzero(~ranks.gather(np.array([passed])))
    if failed.size:
        raise error


def horovod_environment(deterministic: bool, on_gpu: bool, environment: Mapping[str, str]) -> dict[str, str]:
    """Horovod's settings, to be in the environment before it starts; what the user has set stays.

    Gloo gives up on a rank that comes 30 s after the first: on a busy machine, TensorFlow's import differs by more.
    A CPU rank wants a longer cycle than the default of 1 ms: the background thread competes with it for its core.
    Under MPI it wants less fused at a time than the default of 128 MiB: what fits the core's cache is copied faster
    (docs/results.md); Gloo's sockets do not gain.
    Bit-equal sums need tensors that are never fused in another order.
    """
    wanted = {"HOROVOD_STALL_CHECK_TIME_SECONDS": "60", "HOROVOD_GLOO_TIMEOUT_SECONDS": "300"}
    if not on_gpu:
        wanted["HOROVOD_CYCLE_TIME"] = "20"
        if environment.get("HOROVOD_CONTROLLER") != "gloo":
            wanted["HOROVOD_FUSION_THRESHOLD"] = str(8 * 2**20)
    if deterministic:
        wanted["HOROVOD_FUSION_THRESHOLD"] = "0"
    return {key: value for key, value in wanted.items() if key not in environment}
