"""Scores films without labels: each rank takes its share of the batches, the first writes what all found."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

from trainer import runtime
from trainer.collectives import Collectives, same_everywhere, self_test
from trainer.config import Config
from trainer.data.source.unlabelled import UnlabelledFilms
from trainer.data.store.opening import open_store
from trainer.data.store.store import Store
from trainer.data.unlabelled_batches import Look, unlabelled_batches
from trainer.errors import UsageError
from trainer.scoring import Scorer, Watch, in_order, unwatched
from trainer.topology import Topology
from trainer.trained import TrainedNetwork, load_trained

PREDICTIONS, BAD_FILMS = "predictions.csv", "bad_films.csv"

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Predicted:
    """How many films got scores, how many are bad, and where both are listed."""

    scored: int
    bad: int
    checkpoint: str
    where: str

    def summary(self) -> str:
        """One line for people."""
        told = f"; {self.bad:,} in {self.where}/{BAD_FILMS}, with the reason" if self.bad else ""
        return (
            f"scored {self.scored:,} of {self.scored + self.bad:,} films by {self.checkpoint}: "
            f"{self.where}/{PREDICTIONS}{told}"
        )


def predict(config: Config, topology: Topology, watch: Watch = unwatched) -> Predicted:
    """Scores the films of ``predict.source`` with the run's checkpoint, in float32, on all ranks.

    They are made ready as ``prepare`` does, at the image size of the run. Writes ``predictions.csv``, a film a row in
    the order of the sources, and ``bad_films.csv``, those without scores and why. Both are the same for any number of
    ranks. ``watch`` is told of films of this rank's batches.

    Raises UsageError for a missing setting, DataError if there is no good checkpoint or no film, StoreDown.
    """
    wanted = config.predict
    if not wanted.destination:
        raise UsageError("predict.destination", "", "is empty", "name the folder or store that gets the scores")
    films = UnlabelledFilms(wanted.source, config.store)
    ranks = runtime.start(config, topology, precision="float32")
    store = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
    trained = load_trained(store, wanted.checkpoint, ranks)
    self_test(ranks)
    own, faults = _score_share(config, films, trained, ranks, watch)
    same_everywhere(ranks, "films", hashlib.sha256("\0".join(films.names).encode()).digest())
    batches = -(-len(films.names) // wanted.batch_size)
    rows = in_order(ranks.gather(own), batches, wanted.batch_size, topology.world_size)[: len(films.names)]
    bad = _gathered(ranks, faults)
    out = open_store(wanted.destination, config.store, "predict.destination")
    if topology.is_first:
        _write(out, films.names, trained.classes, rows, bad)
    return Predicted(len(films.names) - len(bad), len(bad), f"{store.where}/{trained.mark.folder}", out.where)


def _score_share(
    config: Config, films: UnlabelledFilms, trained: TrainedNetwork, ranks: Collectives, watch: Watch
) -> tuple[npt.NDArray[np.float32], dict[int, str]]:
    """This rank's batches, float32 [films, classes], whole ones, and what is wrong with films by their number."""
    wanted, topology = config.predict, ranks.topology
    scorer = Scorer(trained.model, ranks, trained.config, batch_size=wanted.batch_size)
    batches = unlabelled_batches(
        films,
        config.store,
        Look(trained.image_size, config.prepare.minimum_side, config.prepare.dicom),
        batch_size=wanted.batch_size,
        rank=topology.rank,
        world_size=topology.world_size,
        processes=wanted.processes,
    )
    own, faults, done = [np.empty((0, len(trained.classes)), np.float32)], dict[int, str](), 0
    for batch in batches:
        own.append(scorer.of_films(batch.images))
        faults |= batch.faults
        done += batch.films
        watch(done, max(done, len(films.names) // topology.world_size))
    return np.concatenate(own), faults


def _gathered(ranks: Collectives, faults: Mapping[int, str]) -> dict[int, str]:
    """The faults that all ranks found, in the order of the films."""
    lines = "".join(f"{json.dumps(each)}\n" for each in faults.items())
    found = ranks.gather(np.frombuffer(lines.encode(), np.uint8)).tobytes().decode()
    return dict(sorted((int(number), str(why)) for number, why in map(json.loads, found.splitlines())))


def _write(
    out: Store, names: Sequence[str], classes: Sequence[str], rows: npt.NDArray[np.float32], bad: Mapping[int, str]
) -> None:
    scored = ([names[number], *(f"{each:.7g}" for each in row)] for number, row in enumerate(rows) if number not in bad)
    _write_csv(out, PREDICTIONS, ["film", *classes], scored)
    _write_csv(out, BAD_FILMS, ["film", "reason"], ([names[number], why] for number, why in bad.items()))


def _write_csv(out: Store, name: str, heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with out.writing(name) as sink:
        for part in _parts([heading], iter(rows)):
            stream = io.StringIO(newline="")
            csv.writer(stream).writerows(part)
            sink.write(stream.getvalue().encode())


def _parts(first: list[Sequence[str]], rows: Iterator[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    yield first
    while part := list(islice(rows, _ROWS_AT_ONCE)):
        yield part
