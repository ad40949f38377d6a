"""What telling about a step costs: the monitor's metrics in files, timer, history, log lines, progress bar.

Settings: cores, config (nested).
"""

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.channel import Parent, serve, settings
from trainer.settings import validate
from trainer.telemetry import logs
from trainer.telemetry.exporter import DIRECTORY_VARIABLE
from trainer.topology import Topology


def main() -> None:
    """Measures, by request: seconds of a step, of one in parts, of telling about one; the idle bar's share of time."""
    given, parent = settings(), Parent()
    os.environ[DIRECTORY_VARIABLE] = tempfile.mkdtemp(prefix="cxr-bench-metrics-")
    from trainer import runtime
    from trainer.data.pipeline import training_batches
    from trainer.monitor import Monitor
    from trainer.run import Run
    from trainer.step import read
    from trainer.train import _draw

    config = validate(given["config"])
    logs.start("text", 0, sys.stderr)
    run = Run(config, runtime.start(config, Topology()))
    plan = run.plan(0)
    batch = next(iter(training_batches(run.training, plan, run.slots, first_batch=0, config=config.data)))
    measured = read(run.learner.step(batch, _draw(run, 0, 0), 1e-4, False))
    films = config.train.global_batch_size
    console = Console(file=Path(os.devnull).open("w"), force_terminal=True)  # noqa: SIM115 - as long as the process
    bar = logs.Progress("training", total=None, unit="steps", console=console)
    bar.__enter__()
    monitor = Monitor(run, bar.reach)

    def step(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            read(run.learner.step(batch, _draw(run, 0, 0), 1e-4, False))
        return (time.perf_counter() - began) / count

    def in_parts(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            *_, last = run.learner.step.in_parts(batch, _draw(run, 0, 0), 1e-4, False)
            read(last)
        return (time.perf_counter() - began) / count

    def tell(count: int) -> float:
        began = time.perf_counter()
        for number in range(count):
            with monitor.timer.waiting():
                pass
            run.learning_rate()
            run.state = replace(run.state, step=number + 1, batch=number + 1)
            own = int(np.count_nonzero(batch.weights.numpy()))
            monitor.step(measured, monitor.timer.step_done(films), own)
        return (time.perf_counter() - began) / count

    def idle(count: int) -> float:
        """Share of one core's time that the bar's own thread takes, over so many tenths of a second."""
        began, busy = time.perf_counter(), time.process_time()
        time.sleep(count / 10)
        return (time.process_time() - busy) / (time.perf_counter() - began)

    ways = {"step": step, "in parts": in_parts, "tell": tell, "idle": idle}
    tell(100)
    in_parts(1)
    serve(parent, lambda way, count: {"value": ways[way](count)})
    bar.__exit__(None, None, None)


if __name__ == "__main__":
    main()
