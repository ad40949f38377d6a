"""cxr-train with one thing altered, to see what the job makes of it: ``altered.py ALTERATION train --set ...``.

The ranks it starts are this program again, altered in the same way. It knows one network more, ``small``, and each
rank that leaves by itself writes its exit code into a file, ``left-<rank>``.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from trainer import cli, ranks
from trainer.topology import from_environment, is_rank


def nothing() -> None:
    """cxr-train as it is."""


def record_films() -> None:
    """Writes which films every slot of every batch got, in a file of this process."""
    from trainer.data.plan import EpochPlan, Slots

    given = EpochPlan.slots
    rank = from_environment(os.environ).rank

    def slots(self: EpochPlan, batch: int, wanted: range) -> Slots:
        films = given(self, batch, wanted)
        row = {"epoch": self._epoch, "batch": batch, "first_slot": wanted.start}
        row["films"] = list(zip(films.shard.tolist(), films.record.tolist(), films.weight.tolist(), strict=True))
        with Path(f"films-{rank}-{os.getpid()}.jsonl").open("a") as stream:
            stream.write(json.dumps(row) + "\n")
        return films

    EpochPlan.slots = slots


def sum_nothing() -> None:
    """The allreduce gives back what it was given."""
    from trainer.collectives import HorovodRanks

    def allreduce(_self: Any, tensors: Any, _names: Any) -> Any:
        return list(tensors)

    HorovodRanks.allreduce = allreduce


def sum_no_gradient() -> None:
    """The allreduce leaves out the gradients alone, as Horovod's Keras wrappers do on Keras 3."""
    from trainer.collectives import HorovodRanks

    sum_over_ranks = HorovodRanks._sum

    def sum_others(self: Any, tensor: Any, name: str) -> Any:
        return tensor if name.startswith("gradient/") else sum_over_ranks(self, tensor, name)

    HorovodRanks._sum = sum_others


def another_setting() -> None:
    """Rank 1 was given another learning rate."""
    if _is_rank_1():
        sys.argv += ["--set", "optimizer.learning_rate=0.5"]


def unreadable_film() -> None:
    """Rank 1 cannot read its third batch."""
    from trainer.data.film_set import FilmSet
    from trainer.errors import DataError

    gather, read = FilmSet.gather, []

    def refuse_third(self: FilmSet, slots: Any) -> Any:
        read.append(slots)
        if len(read) == 3:
            raise DataError("data.training", "shard-00000.tfrecord", "is damaged", "prepare it again")
        return gather(self, slots)

    if _is_rank_1():
        FilmSet.gather = refuse_third


def film_read_twice() -> None:
    """The second batch's second film is the first one again."""
    from trainer.data.film_set import FilmSet
    from trainer.data.plan import Slots

    gather, read = FilmSet.gather, []

    def repeat(self: FilmSet, slots: Slots) -> Any:
        read.append(slots)
        if len(read) == 2:
            places = slots.shard.copy(), slots.record.copy()
            for each in places:
                each[1] = each[0]
            slots = Slots(*places, slots.weight)
        return gather(self, slots)

    FilmSet.gather = repeat


def nan_gradient() -> None:
    """Rank 1's own gradient of the third step of the run is not a number."""
    import tensorflow as tf

    from trainer.data.plan import random_key
    from trainer.step import TrainingStep

    gradients = TrainingStep._gradients
    third = random_key(0, 0, 2, "augment")

    def poisoned(self: Any, batch: Any, draw: Any, stop: Any) -> Any:
        sums, before = gradients(self, batch, draw, stop)
        poison = tf.where(tf.reduce_all(draw.augment_key == third), float("nan"), 0.0)
        return sums._replace(gradients=[each + tf.cast(poison, each.dtype) for each in sums.gradients]), before

    if _is_rank_1():
        TrainingStep._gradients = poisoned


def slow_checkpoint() -> None:
    """Writing a checkpoint takes longer than the two seconds that mpirun leaves ranks once one has ended."""
    from trainer.checkpoint import writing

    write = writing.write_arrays

    def write_slowly(*arguments: Any) -> Any:
        time.sleep(2.5)
        return write(*arguments)

    writing.write_arrays = write_slowly


def endless_checkpoint() -> None:
    """Writing the checkpoint of step 3 says so in the middle and never ends."""
    from trainer.checkpoint import writing

    write = writing.write_arrays

    def write_or_hang(store: Any, name: str, *rest: Any) -> Any:
        written = write(store, name, *rest)
        if name.startswith("step-000000003"):
            sys.stderr.write("in the middle of step 3's checkpoint\n")
            threading.Event().wait()
        return written

    writing.write_arrays = write_or_hang


def export_another_network() -> None:
    """What is exported has a head of its own."""
    from trainer.export import export

    stock_model = export.stock_model

    def another(*arguments: Any) -> Any:
        stock = stock_model(*arguments)
        kernel, bias = stock.get_layer("head").get_weights()
        stock.get_layer("head").set_weights([kernel, bias + 0.01])
        return stock

    export.stock_model = another


ALTERATIONS: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        nothing,
        record_films,
        sum_nothing,
        sum_no_gradient,
        another_setting,
        unreadable_film,
        film_read_twice,
        nan_gradient,
        endless_checkpoint,
        slow_checkpoint,
        export_another_network,
    )
}


def main() -> None:
    alteration = sys.argv.pop(1)
    ranks.same_command = lambda arguments: [sys.executable, __file__, alteration, *arguments]
    # A process that only starts ranks has no use for TensorFlow.
    if is_rank(os.environ) or "--ranks" not in sys.argv:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        know_small_network()
        ALTERATIONS[alteration]()
    try:
        cli.main()
    except SystemExit as ended:
        if is_rank(os.environ):
            Path(f"left-{from_environment(os.environ).rank}").write_text(str(ended.code))
        raise


def know_small_network() -> None:
    from trainer.model.registry import BUILDERS
    from trainer.model.resnet import basic_block, resnet

    BUILDERS["small"] = partial(resnet, block=basic_block, depths=(1, 1, 0, 0))


def _is_rank_1() -> bool:
    return from_environment(os.environ).rank == 1


if __name__ == "__main__":
    main()
