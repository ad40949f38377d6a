"""``cxr-train train`` with a clock on its stages: imports, opening, building, the first step.

Settings: cores, config (nested), began (the clock when the process was started).
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from benchmarks.channel import Parent, Settings, serve, settings

_OPENED = "training:"
"""How the log line begins that the run says once it is opened and its network is built."""


class Stages(logging.Handler):
    """Seconds by stage, in their order; the log says when the run is open."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self._last = began

    def done(self, stage: str) -> None:
        """What was going on until now was this."""
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now

    def emit(self, record: logging.LogRecord) -> None:
        """At the opening line."""
        if record.getMessage().startswith(_OPENED):
            self.done("open")


def main() -> None:
    """Trains the run that the settings describe; one step long, it ends by itself."""
    given, parent = settings(), Parent()
    stages = Stages(given["began"])
    stages.done("interpreter")
    import tensorflow  # noqa: F401

    stages.done("import TensorFlow, Keras")
    _train(given, stages)
    serve(parent, lambda: stages.seconds)


def _train(given: Settings, stages: Stages) -> None:
    from trainer import run
    from trainer.settings import validate
    from trainer.telemetry.logs import NAME
    from trainer.topology import Topology
    from trainer.train import train

    stages.done("import trainer")
    logger = logging.getLogger(NAME)
    logger.addHandler(stages)
    logger.setLevel(logging.INFO)
    run.network = _timed(run.network, stages)
    train(validate(given["config"]), Topology(), lambda done, _: stages.done("first step") if done == 1 else None)


def _timed(build: Callable[..., Any], stages: Stages) -> Callable[..., Any]:
    def network(*arguments: Any) -> Any:
        stages.done("open")
        model = build(*arguments)
        stages.done("build")
        return model

    return network


if __name__ == "__main__":
    main()
