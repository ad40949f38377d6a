"""The prepared sets that a run reads, opened and held against its settings and each other."""

from trainer.config import Config
from trainer.data.cache.tally import Tell, untold
from trainer.data.film_set import FilmSet
from trainer.data.shard.patients import refuse_shared_patients
from trainer.data.store.opening import open_store
from trainer.errors import DataError, UsageError
from trainer.labels import label_set
from trainer.topology import Topology


def open_films(config: Config, split: str, topology: Topology, tell: Tell = untold) -> FilmSet:
    """The prepared set that ``data.<split>`` names; its label set must be ``data.labels``.

    ``tell`` counts what happens to the node's cache.
    """
    key = f"data.{split}"
    directory = getattr(config.data, split)
    if not directory:
        raise UsageError(key, directory, "is empty", f"set {key} to a prepared folder, <destination>/{split}")
    store = open_store(directory, config.store, key)
    films = FilmSet.open(store, config.data.cache, ranks_on_node=topology.local_size, tell=tell)
    wanted = label_set(config.data.labels)
    if (films.manifest.labels, tuple(films.manifest.classes)) != (wanted.name, wanted.classes):
        raise DataError(
            "data.labels",
            wanted.name,
            f"is not the label set of {directory}, which is {films.manifest.labels}",
            f"set data.labels={films.manifest.labels}, or prepare the films again",
        )
    return films


def refuse_misfit(training: FilmSet, validation: FilmSet) -> None:
    """Raises DataError where two sets' films differ in size, or the sets share a patient."""
    _refuse_other_size(training, validation)
    refuse_shared_patients(training.store, training.manifest, validation.store, validation.manifest)


def _refuse_other_size(training: FilmSet, validation: FilmSet) -> None:
    ours, theirs = ((each.manifest.image.height, each.manifest.image.width) for each in (training, validation))
    if ours != theirs:
        raise DataError(
            "data.validation",
            validation.store.where,
            f"holds films of {theirs[1]}x{theirs[0]} pixels, the training set of {ours[1]}x{ours[0]}",
            "prepare both with the same prepare.image_size",
        )
