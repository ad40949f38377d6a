"""Jobs of real ranks, started as a user starts them and heard line by line."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import psutil
import pytest

from tests.heard import Heard
from trainer.data.store.folder import FolderStore

PATIENCE_SECONDS = 240.0
"""Longest wait for anything that has to happen: bounds a failure, on however busy a machine."""

_PROGRAMS = Path(__file__).parent / "programs"
_PLACES = ("HOROVOD_RANK", "OMPI_COMM_WORLD_RANK")


class Job(Heard):
    """A running command and all it says on stderr. Leaving its context ends whatever is left of it."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr
        super().__init__(self.process.stderr, PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.process.wait()
        self.to_the_end()

    @property
    def directory(self) -> Path:
        """Of the run: its checkpoints and history."""
        return self.folder / "run"

    @property
    def store(self) -> FolderStore:
        """Of the run."""
        return FolderStore(self.directory, "checkpoint.directory")

    def code(self, within: float = PATIENCE_SECONDS) -> int:
        """Waits for its end, and for its last word; the exit code."""
        code = self.process.wait(within)
        self.to_the_end()
        return code

    def done(self) -> Self:
        """Waits for an end without an error."""
        assert self.code() == 0, self.said
        return self

    def ranks(self) -> dict[int, psutil.Process]:
        """Its ranks that are alive, by number."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        return {rank: process for process in below if (rank := _rank_of(process)) is not None}

    def left(self) -> dict[int, int]:
        """Exit codes of the ranks that left by themselves, by number."""
        return {int(each.name.partition("-")[2]): int(each.read_text()) for each in self.folder.glob("left-*")}

    def of_ranks(self, *, after: int = 0) -> list[str]:
        """What was said of single ranks, not among the first ``after`` lines.

        Horovod writes a line piece by piece, in C++, so that one of ours may begin in the middle of it.
        """
        return [found[0] for line in self.lines[after:] if (found := re.search(r"rank \d+: .*", line))]

    def kill(self) -> None:
        """Ends the whole job with SIGKILL, the launcher first, so that it can tell nobody."""
        if self.process.poll() is None:
            launcher = psutil.Process(self.process.pid)
            for process in [launcher, *launcher.children(recursive=True)]:
                process.kill()


class StartJob(Protocol):
    """Starts a verb of cxr-train in a folder that holds its run.

    ``settings`` are laid over tiny ones. ``altered`` is an alteration of programs/altered.py, where the network
    ``small`` is known. ``mpirun`` starts the ranks from outside instead of ``--ranks``.
    """

    def __call__(
        self, verb: str, folder: Path, *settings: str, ranks: int = 2, altered: str = "nothing", mpirun: bool = False
    ) -> Job: ...


@pytest.fixture(scope="session")
def start_job(small_sets: Path) -> StartJob:
    def start(
        verb: str, folder: Path, *settings: str, ranks: int = 2, altered: str = "nothing", mpirun: bool = False
    ) -> Job:
        folder.mkdir(exist_ok=True)
        program = [sys.executable, str(_PROGRAMS / "altered.py"), altered, verb]
        arguments = [part for each in (*_tiny(small_sets), *settings) for part in ("--set", each)]
        before = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", str(ranks)] if mpirun else []
        after = [] if mpirun or ranks == 1 else ["--ranks", str(ranks)]
        return Job([*before, *program, *arguments, *after], folder, {"TMPDIR": str(folder)})

    return start


@pytest.fixture(scope="session")
def start_program() -> Callable[..., Job]:
    """Starts one of the programs beside this file with its own arguments."""

    def start(name: str, folder: Path, *arguments: str, **environment: str) -> Job:
        return Job([sys.executable, str(_PROGRAMS / name), *arguments], folder, environment)

    return start


class NeverStopped(Protocol):
    """The folder of a deterministic run on so many ranks that nothing disturbed; trained once a session."""

    def __call__(self, ranks: int) -> Path: ...


@pytest.fixture(scope="session")
def never_stopped(start_job: StartJob, tmp_path_factory: pytest.TempPathFactory) -> NeverStopped:
    folders: dict[int, Path] = {}

    def train(ranks: int) -> Path:
        if ranks not in folders:
            folder = tmp_path_factory.mktemp(f"never_stopped_{ranks}")
            with start_job("train", folder, "train.deterministic=true", ranks=ranks, altered="record_films") as job:
                job.done()
            folders[ranks] = folder
        return folders[ranks]

    return train


@pytest.fixture(scope="session")
def scored_run(start_job: StartJob, never_stopped: NeverStopped, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of two ranks, scored on its validation set; for all tests, which copy it before they write there."""
    folder = tmp_path_factory.mktemp("scored")
    shutil.copytree(never_stopped(2) / "run", folder / "run")
    with start_job("evaluate", folder, ranks=1) as job:
        job.done()
    return folder / "run"


def _tiny(sets: Path) -> list[str]:
    """19 steps an epoch, a line each; the last batch is filled up."""
    return [
        f"data.training={sets / 'training'}",
        f"data.validation={sets / 'validation'}",
        "model.name=small",
        "train.epochs=2",
        "train.global_batch_size=8",
        "train.precision=float32",
        "train.log_every_steps=1",
        "checkpoint.directory=run",
        "evaluate.split=validation",
        "evaluate.resamples=20",
    ]


def _rank_of(process: psutil.Process) -> int | None:
    try:
        environment = process.environ()
    except psutil.NoSuchProcess:
        return None
    return next((int(environment[name]) for name in _PLACES if name in environment), None)
