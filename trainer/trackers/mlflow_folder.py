"""A run in a folder, in the form of MLflow's file store.

MLflow 3 reads it with MLFLOW_ALLOW_FILE_STORE=true, or moves it into a database with ``mlflow migrate-filestore``.
"""

import getpass
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import yaml

from trainer.checkpoint.history import Row
from trainer.trackers.mlflow_run import RUN_TAG, RunFacts, points, told
from trainer.trackers.rows import TOLD_BY, untold
from trainer.trackers.tracker import NotTaken, Outcome, Tracker

_META = "meta.yaml"
_RUNNING = 1
_STATUS: Mapping[Outcome, int] = {"finished": 3, "failed": 4, "stopped": 5}
"""As in MLflow's RunStatus."""
_LOCAL_SOURCE = 4


class MlflowFolder(Tracker):
    """The run whose identifier is the key.

    Args:
        folder: of all experiments; made if it is not there.
        facts: of the run.
        key: of the run, asked when it is needed.
    """

    name: ClassVar[str] = "MLflow"

    def __init__(self, folder: Path, facts: RunFacts, key: Callable[[], str]) -> None:
        self._root, self._facts, self._key = folder.absolute(), facts, key

    def begin(self) -> None:
        """Finds or makes experiment and run, and looks what the run holds."""
        experiment = self._experiment()
        self._run = experiment / self._key()
        for each in ("metrics", "params", "tags", "artifacts"):
            (self._run / each).mkdir(parents=True, exist_ok=True)
        self._set_status(_RUNNING, experiment.name)
        for name, value in {**self._facts.tags, RUN_TAG: self._key(), "mlflow.runName": self._facts.name}.items():
            _write(self._run / "tags" / name, value)
        for name, value in self._facts.parameters.items():
            if not (self._run / "params" / name).exists():
                _write(self._run / "params" / name, value)
        steps = {name: _last_step(self._run / "metrics" / name) for name in TOLD_BY.values()}
        self._told = told({name: step for name, step in steps.items() if step is not None})

    def tell(self, rows: Sequence[Row]) -> None:
        """Adds the points of the rows that the run does not hold."""
        lines: dict[str, list[str]] = defaultdict(list)
        for row in untold(rows, self._told):
            for key, value, timestamp, step in points(row):
                lines[key].append(f"{timestamp} {value!r} {step}\n")
        # Last what says how far the run has been told.
        for key in sorted(lines, key=lambda each: each in TOLD_BY.values()):
            file = self._run / "metrics" / key
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8") as stream:
                stream.write("".join(lines[key]))

    def end(self, outcome: Outcome) -> None:
        """Sets the run's status and time of end."""
        self._set_status(_STATUS[outcome], self._run.parent.name, end_time=_now())

    def _experiment(self) -> Path:
        for file in sorted(self._root.glob(f"*/{_META}")):
            if _meta(file).get("name") == self._facts.experiment:
                return file.parent
        # Of the name, so that two runs that begin together make the same one.
        number = int(hashlib.sha256(self._facts.experiment.encode()).hexdigest()[:14], 16)
        folder = self._root / f"{number:018d}"
        now = _now()
        meta = {
            "artifact_location": folder.as_uri(),
            "creation_time": now,
            "experiment_id": folder.name,
            "last_update_time": now,
            "lifecycle_stage": "active",
            "name": self._facts.experiment,
        }
        _write(folder / _META, _yaml(meta))
        return folder

    def _set_status(self, status: int, experiment: str, end_time: int | None = None) -> None:
        file = self._run / _META
        begun = _meta(file).get("start_time") if file.exists() else None
        meta: dict[str, Any] = {
            "artifact_uri": (self._run / "artifacts").as_uri(),
            "end_time": end_time,
            "entry_point_name": "",
            "experiment_id": experiment,
            "lifecycle_stage": "active",
            "run_id": self._run.name,
            "run_name": self._facts.name,
            "source_name": "",
            "source_type": _LOCAL_SOURCE,
            "source_version": "",
            "start_time": begun or _now(),
            "status": status,
            "tags": [],
            "user_id": _user(),
        }
        _write(file, _yaml(meta))


def _last_step(file: Path) -> int | None:
    """Of a metric; a line that was cut off with its writer is taken away."""
    if not file.exists():
        return None
    whole, _, cut = file.read_text(encoding="utf-8").rpartition("\n")
    if cut:
        _write(file, f"{whole}\n" if whole else "")
    return int(whole.rpartition(" ")[2]) if whole else None


def _meta(file: Path) -> dict[str, Any]:
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise NotTaken("trackers.mlflow.address", str(file), "is not MLflow's", "mend it, or name another folder")
    return found


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(file)


def _yaml(values: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(values)))


def _user() -> str:
    # A pod's user may have no name.
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return str(os.getuid())


def _now() -> int:
    return int(time.time() * 1000)
