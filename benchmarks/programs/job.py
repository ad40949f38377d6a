"""A whole training job: films from shards, augmentation, metrics, log lines, checkpoints; it halts between turns.

Settings: cores, config (nested), warm_steps, segment_steps: what it trains before the first turn, and in each.
"""

import os
import sys
import tempfile
import time

from benchmarks.channel import Parent, Settings, settings
from trainer.settings import validate
from trainer.telemetry import logs
from trainer.telemetry.exporter import DIRECTORY_VARIABLE
from trainer.topology import Topology


class Turns:
    """The run's watch: reports each turn's seconds at its last step, and waits there for the next."""

    def __init__(self, given: Settings, parent: Parent) -> None:
        self._warm, self._segment, self._parent = given["warm_steps"], given["segment_steps"], parent
        self._began = 0.0

    def __call__(self, done: int, total: int) -> None:
        """After every step."""
        if done < self._warm or (done - self._warm) % self._segment:
            return
        if done == self._warm:
            self._parent.tell(ready=True)
        else:
            self._parent.tell(seconds=time.perf_counter() - self._began)
        if done < total:
            if self._parent.hear() is None:
                sys.exit()
            self._began = time.perf_counter()


def main() -> None:
    """Trains as ``cxr-train train`` does on one rank, its metrics in files as when they are served."""
    given, parent = settings(), Parent()
    with tempfile.TemporaryDirectory() as metrics:
        os.environ[DIRECTORY_VARIABLE] = metrics
        logs.start("text", 0, sys.stderr)
        from trainer.train import train

        train(validate(given["config"]), Topology(), Turns(given, parent))


if __name__ == "__main__":
    main()
