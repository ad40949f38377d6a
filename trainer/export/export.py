"""``cxr-train export``: the network of a run as files for other programs; none is written that scores differently."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import trainer
from trainer import runtime
from trainer.config import Config
from trainer.data.store.opening import open_store
from trainer.errors import UsageError
from trainer.export import keras_file, saved_model
from trainer.export.checking import Films, Score, check, films_to_check
from trainer.export.placing import place
from trainer.export.stock import stock_model
from trainer.export.thresholds import Thresholds, thresholds_of
from trainer.scoring import Scorer
from trainer.topology import Topology
from trainer.trained import TrainedNetwork, load_trained

Write = Callable[[Path, keras.Model, TrainedNetwork, Thresholds], tuple[str, Score]]
"""Writes a form below a folder; the name of what it wrote there, and what scores films with it, read back."""


@dataclass(frozen=True)
class Exported:
    """Names of files and folders in ``where``, with the largest difference from the trainer's scores; and on what."""

    where: str
    checkpoint: str
    differences: Mapping[str, float]
    films: str
    thresholds: tuple[str, ...]

    def summary(self) -> str:
        """One line for people."""
        found = ", ".join(f"{name} (scores within {value:.1g})" for name, value in self.differences.items())
        rules = " and ".join(self.thresholds) or "none: validation was not scored with it"
        return f"exported {self.checkpoint} to {self.where}: {found}; checked on {self.films}; thresholds: {rules}"


def export(config: Config, topology: Topology) -> Exported:
    """Writes ``export.formats`` and ``export.json`` to ``export.destination``.

    Raises SelfTestError where one scores films other than the trainer does, so that nothing is written; UsageError for
    a missing setting or extra; DataError if there is no good checkpoint; StoreDown.
    """
    wanted = config.export
    if not wanted.destination:
        raise UsageError("export.destination", "", "is empty", "name the folder or store that gets the files")
    writers = {name: _WRITERS[name]() for name in wanted.formats}
    ranks = runtime.start(config, topology, precision="float32")
    store = open_store(config.checkpoint.directory, config.store, "checkpoint.directory")
    network = load_trained(store, wanted.checkpoint, ranks)
    thresholds, sensitivity = thresholds_of(store, network.mark, network.classes)
    films = films_to_check(config, network.image_size)
    stored, others = films.expected(Scorer(network.model, ranks, network.config, batch_size=wanted.films).of_films)
    stock = stock_model(network.model, network.config, network.image_size)
    out = open_store(wanted.destination, config.store, "export.destination")
    with tempfile.TemporaryDirectory() as directory:
        folder, differences = Path(directory), {}
        for name, write in writers.items():
            written, score = write(folder, stock, network, thresholds)
            given, expected = ([films.stored], stored)
            if name != "keras":
                given, expected = [films.stored, *films.of_any_size], [*stored, *others]
            differences[written] = check(name, score, given, expected)
        facts = _facts(config, network, thresholds, films, differences)
        place(out, folder, {**facts, "at_sensitivity": sensitivity})
    mark = f"{store.where}/{network.mark.folder}"
    return Exported(out.where, mark, differences, f"{len(films.stored)} films, {films.source}", tuple(thresholds))


def _write_saved_model(
    folder: Path, stock: keras.Model, network: TrainedNetwork, values: Thresholds
) -> tuple[str, Score]:
    place = folder / saved_model.NAME
    saved_model.write_saved_model(place, stock, network.classes, network.image_size, values)
    return saved_model.NAME, saved_model.run_saved_model(place)


def _write_keras(folder: Path, stock: keras.Model, _network: TrainedNetwork, _values: Thresholds) -> tuple[str, Score]:
    stock.save(folder / keras_file.NAME)
    return keras_file.NAME, keras_file.run_keras(folder / keras_file.NAME)


def _onnx() -> Write:
    """Its library is for those alone who ask for it. Raises UsageError where it is not installed."""
    try:
        from trainer.export import onnx_file
    except ImportError as error:
        rule, cure = "needs the libraries onnx and onnxruntime", "install cxr-train with the extra onnx"
        raise UsageError("export.formats", "onnx", rule, cure) from error

    def write(folder: Path, stock: keras.Model, network: TrainedNetwork, values: Thresholds) -> tuple[str, Score]:
        file, told = folder / onnx_file.NAME, {"checkpoint": network.mark.folder, "version": trainer.__version__}
        onnx_file.write_onnx(file, stock, network.classes, network.image_size, values, told)
        return onnx_file.NAME, onnx_file.run_onnx(file)

    return write


_WRITERS: Mapping[str, Callable[[], Write]] = {
    "saved_model": lambda: _write_saved_model,
    "keras": lambda: _write_keras,
    "onnx": _onnx,
}


def _facts(
    config: Config, network: TrainedNetwork, thresholds: Thresholds, films: Films, differences: Mapping[str, float]
) -> dict[str, Any]:
    """What whoever uses the files has to know."""
    return {
        "program_version": trainer.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "run": config.checkpoint.directory,
        "checkpoint": network.mark.folder,
        "model": network.config.name,
        "classes": list(network.classes),
        "image_size": network.image_size,
        "films": "uint8 [films, height, width, 1], gray, 0 black; model.keras: of image_size by image_size",
        "thresholds": {rule: [_plain(each) for each in values] for rule, values in thresholds.items()},
        "checked_on": {"films": len(films.stored), "from": films.source},
        "largest_difference": dict(differences),
        "not_for": "diagnosis: it is no medical device, and no radiologist has approved it",
    }


def _plain(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
