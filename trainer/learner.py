"""What learns: the network, its optimizer and its step, anew where an epoch trains more layers than the one before."""

import keras

from trainer.checkpoint.snapshot import Arrays, Snapshot, State
from trainer.collectives import Collectives
from trainer.config import Config
from trainer.data.film_set import FilmSet
from trainer.errors import DataError
from trainer.model.freezing import first_epochs, freeze, is_head
from trainer.network import assign, model_arrays, network, weights_of_positives
from trainer.optimizer import AdamW
from trainer.step import TrainingStep, arrays, parameters


class Learner:
    """The network of a run as it is trained in one epoch; ``enter`` moves it to another.

    Args:
        config: the whole tree.
        films: the training set.
        ranks: this rank among the others.
        batches: of an epoch.
    """

    def __init__(self, config: Config, films: FilmSet, ranks: Collectives, batches: int) -> None:
        self._config, self._ranks, self._batches = config, ranks, batches
        self._positive_weights = weights_of_positives(config, films)
        self.model: keras.Model = network(config, films, ranks)
        self._first_epochs = first_epochs(self.model, config.model)
        freeze(self.model, self._first_epochs, 0)
        self._prepare({})

    def enter(self, epoch: int) -> None:
        """Trains what is to be trained in that epoch; moments of what already was are kept."""
        if freeze(self.model, self._first_epochs, epoch):
            self._prepare(arrays(self.optimizer.state()))

    def snapshot(self, state: State) -> Snapshot:
        """Copies of everything that training changes, out of the device."""
        return Snapshot(model_arrays(self.model), arrays(self.optimizer.state()), state)

    def restore(self, snapshot: Snapshot) -> None:
        """Sets network and optimizer, in the snapshot's epoch. Raises DataError where they do not fit."""
        assign(self.model, snapshot.model)
        self._set_moments(snapshot.optimizer, new=snapshot.state.epoch if snapshot.state.batch == 0 else None)

    def broadcast(self) -> None:
        """Sets every rank's network and optimizer to the first's."""
        self._ranks.broadcast([each.value for each in self.model.variables])
        self._ranks.broadcast(list(self.optimizer.state().values()))

    def _prepare(self, moments: Arrays) -> None:
        trained = parameters(self.model)
        begun = {path: self._first_epoch(path) * self._batches for path in trained if self._first_epoch(path)}
        slow = [path for path in trained if not is_head(path)] if self._config.optimizer.trunk_rate != 1.0 else []
        self.optimizer = AdamW(trained, self._config.optimizer, begun=begun, slow=slow)
        for name, variable in self.optimizer.state().items():
            if name in moments:
                variable.assign(moments[name])
        self.step = TrainingStep(self.model, self.optimizer, self._ranks, self._config, self._positive_weights)

    def _set_moments(self, found: Arrays, *, new: int | None) -> None:
        """``new``: the epoch that has just begun, whose layers have no moments yet."""
        for name, variable in self.optimizer.state().items():
            if name in found:
                variable.assign(found[name])
            elif name == "updates" or new is None or self._first_epoch(name) != new:
                cure = "use the settings that the checkpoint was made with"
                raise DataError(f"checkpoint: {name}", "nothing", "is where the optimizer's state should be", cure)

    def _first_epoch(self, path: str) -> int:
        return self._first_epochs[path.split("/")[0]]
