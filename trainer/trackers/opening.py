"""From settings to the trackers of a run, each with its thread."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, urlsplit

from trainer.checkpoint.history import Row
from trainer.config import Config
from trainer.data.store.opening import is_remote, open_store
from trainer.data.store.store import Store
from trainer.errors import UsageError
from trainer.trackers.delivery import Delivery, News
from trainer.trackers.mlflow_folder import MlflowFolder
from trainer.trackers.mlflow_run import RunFacts
from trainer.trackers.parameters import masked, parameters
from trainer.trackers.run_key import run_key
from trainer.trackers.tensorboard import TensorBoard
from trainer.trackers.tracker import Outcome, Pictures, Tracker

_TENSORBOARD, _MLFLOW = "trackers.tensorboard.directory", "trackers.mlflow.address"
# A thread that tries again by itself need not hang in one call.
_RETRY_SECONDS = 10.0


class Trackers:
    """All that a run is told to; none of it raises, and ``end`` alone waits."""

    def __init__(self, deliveries: Sequence[Delivery] = ()) -> None:
        self._deliveries = deliveries

    def wake(self) -> None:
        """The history has a new row."""
        for each in self._deliveries:
            each.wake()

    def show(self, pictures: Pictures) -> None:
        """Films as the run's first step sees them."""
        for each in self._deliveries:
            each.show(pictures)

    def news(self) -> News:
        """Of all together: failures since the last look, and the rows that the one furthest behind is to be told."""
        found = [each.news() for each in self._deliveries]
        return News(sum(each.failures for each in found), max((each.pending for each in found), default=0))

    def end(self, outcome: Outcome) -> None:
        """Tells of the end, and waits as long as the settings say."""
        for each in self._deliveries:
            each.end(outcome)


def refuse_wrong_addresses(config: Config) -> None:
    """Raises UsageError where a tracker's address can be none, before anything is trained."""
    directory, address = config.trackers.tensorboard.directory, config.trackers.mlflow.address
    if directory:
        open_store(directory, config.store, _TENSORBOARD)
    if not is_remote(address):
        return
    parts = _parts(address)
    if parts.username or parts.password:
        cure = "take them out, and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        raise UsageError(_MLFLOW, masked(address), "has credentials in it", cure)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        cure = "write http(s)://HOST[:PORT] of a tracking server, or a folder"
        raise UsageError(_MLFLOW, masked(address), "is neither a server nor a folder", cure)


def _parts(address: str) -> SplitResult:
    """Of a URL; all blank where it is none, as with a password that holds a slash: what is before it is no port."""
    try:
        parts = urlsplit(address)
        return parts if parts.port != 0 else urlsplit("")
    except ValueError:
        return urlsplit("")


def open_trackers(config: Config, store: Store, rows: Sequence[Row], tags: dict[str, str]) -> Trackers:
    """Those that the settings name, told of ``rows`` from the first on.

    Args:
        config: the whole tree.
        store: of the run, which keeps its key.
        rows: of the run's history, only ever added to.
        tags: facts of the run beside its settings.
    """
    wait = config.trackers.patience_seconds
    return Trackers([Delivery(each, rows, wait) for each in _named(config, store, tags)])


def _named(config: Config, store: Store, tags: dict[str, str]) -> Iterator[Tracker]:
    def key() -> str:
        return run_key(store)

    name = _name(config)
    if directory := config.trackers.tensorboard.directory:
        impatient = config.store.model_copy(update={"retry_seconds": _RETRY_SECONDS})
        yield TensorBoard(open_store(directory, impatient, _TENSORBOARD).under(name), key)
    if address := config.trackers.mlflow.address:
        known = {"cxr_train.directory": masked(store.where), "mlflow.source.name": "cxr-train", **tags}
        facts = RunFacts(config.trackers.mlflow.experiment, name, parameters(config), known)
        if not is_remote(address):
            yield MlflowFolder(Path(address), facts, key)
            return
        # Its library is for those alone who have a server.
        from trainer.trackers.mlflow_server import MlflowServer

        yield MlflowServer(config.trackers.mlflow, facts, key)


def _name(config: Config) -> str:
    last = re.sub(r"[^\w.-]", "-", PurePosixPath(config.checkpoint.directory).name).strip(".")
    return config.trackers.run or last or "run"
