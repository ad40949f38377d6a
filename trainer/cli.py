"""The verbs of ``cxr-train``: parses and calls, nothing else. TensorFlow is imported by the verbs that need it."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from trainer import ranks as local_ranks
from trainer import settings
from trainer.cli_audit import add_audit_verb
from trainer.cli_cluster import add_cluster_verbs
from trainer.cli_compare import add_compare_verb
from trainer.cli_films import add_film_verbs
from trainer.cli_report import add_report_verb
from trainer.config import Config
from trainer.console import Debug, File, LogFormat, Set, console, errors_in_one_line, say, start_logs
from trainer.errors import DataError
from trainer.topology import films_per_rank, from_environment, is_rank

app = typer.Typer(
    help="Trains chest-film classifiers with ranks that provably average their gradients.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Ranks = Annotated[int, typer.Option("--ranks", min=1, help="processes on this machine, each on cores of its own")]


add_film_verbs(app)


@app.command()
def train(
    config: File = None, set_: Set = None, ranks: Ranks = 1, debug: Debug = False, log_format: LogFormat = "text"
) -> None:
    """Trains, or goes on from the newest checkpoint; Ctrl-C stops it after a checkpoint."""
    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        if not is_rank(os.environ):
            films_per_rank(tree.train.global_batch_size, ranks)
        with _metrics_served(tree):
            _on_ranks(tree, ranks, lambda: _train_here(tree, log_format))


@app.command()
def evaluate(
    config: File = None, set_: Set = None, ranks: Ranks = 1, debug: Debug = False, log_format: LogFormat = "text"
) -> None:
    """Scores a checkpoint: AUROC with patient-level intervals, a score for every film, the training curves."""
    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        _on_ranks(tree, ranks, lambda: _evaluate_here(tree, log_format))


@app.command()
def predict(
    config: File = None, set_: Set = None, ranks: Ranks = 1, debug: Debug = False, log_format: LogFormat = "text"
) -> None:
    """Scores films without labels: a CSV of probabilities, and one of bad films; exit 3 if there is any."""
    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        _on_ranks(tree, ranks, lambda: _predict_here(tree, log_format))


@app.command()
def export(config: File = None, set_: Set = None, debug: Debug = False, log_format: LogFormat = "text") -> None:
    """Writes a run's network for other programs: SavedModel, Keras file, ONNX, each checked against its scores."""
    with errors_in_one_line(debug):
        tree = settings.load(config, set_ or [])
        start_logs(log_format)
        from trainer.export.export import export as run

        say(run(tree, from_environment(os.environ)).summary())


@app.command(name="config")
def show_config(config: File = None, set_: Set = None, debug: Debug = False) -> None:
    """Prints the whole configuration, merged and with comments."""
    with errors_in_one_line(debug):
        sys.stdout.write(settings.dump(settings.load(config, set_ or [])))


add_report_verb(app)
add_audit_verb(app)
add_compare_verb(app)
add_cluster_verbs(app)


def main() -> None:
    """The entry of the script ``cxr-train``."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app()


def _train_here(tree: Config, log_format: Literal["text", "json"]) -> None:
    from trainer.train import train as run

    topology = from_environment(os.environ)
    with _bar("training", "steps", log_format) as watch:
        trained = run(tree, topology, watch)
    if topology.is_first:
        best = "" if trained.best_auroc is None else f", best validation AUROC {trained.best_auroc:.3f}"
        say(
            f"trained {trained.steps} steps, {trained.films_per_second:.0f} films/s{best}; "
            f"checkpoints in {trained.directory}"
        )


def _evaluate_here(tree: Config, log_format: Literal["text", "json"]) -> None:
    from trainer.evaluate import evaluate as run
    from trainer.report.table import score_table

    topology = from_environment(os.environ)
    with _bar("scoring", "batches", log_format) as watch:
        result = run(tree, topology, watch)
    if not topology.is_first:
        return
    console = Console()
    console.print(score_table(result.scores, result.classes))
    for name, value in result.facts().items():
        console.print(f"{name:<16} {value}", highlight=False, markup=False, soft_wrap=True)


def _predict_here(tree: Config, log_format: Literal["text", "json"]) -> None:
    from trainer.predict import predict as run

    topology = from_environment(os.environ)
    with _bar("scoring", "films", log_format) as watch:
        result = run(tree, topology, watch)
    # The first rank alone fails: another that did would be the end of it before all is written.
    if topology.is_first:
        say(result.summary())
        if result.bad:
            raise typer.Exit(DataError.exit_code)


@contextmanager
def _bar(phase: str, unit: str, log_format: Literal["text", "json"]) -> Iterator[Callable[[int, int], None]]:
    """A bar for rank 0 on a terminal; elsewhere the log lines tell enough."""
    from trainer.telemetry.logs import Progress

    if not (from_environment(os.environ).is_first and sys.stderr.isatty()):
        yield lambda done, total: None  # noqa: ARG005 - nobody watches
        return
    with Progress(phase, total=None, unit=unit, console=console()) as bar:
        # Started again under the bar, which lets lines pass above itself.
        start_logs(log_format)
        yield bar.reach


def _on_ranks(tree: Config, count: int, here: Callable[[], None]) -> None:
    """Runs ``here`` if this process is a rank or is to be the only one; else starts ranks with this command line."""
    if is_rank(os.environ) or count == 1:
        here()
        return
    launch = {"gloo": local_ranks.launch_gloo, "mpi": local_ranks.launch_mpi}[tree.collectives.launcher]
    code = launch(count, local_ranks.same_command(sys.argv[1:]))
    if code:
        raise typer.Exit(code)


@contextmanager
def _metrics_served(tree: Config) -> Iterator[None]:
    """Serves all ranks' metrics from the process that starts them, if a port is set."""
    if is_rank(os.environ) or not tree.telemetry.port:
        yield
        return
    from trainer.telemetry.exporter import DIRECTORY_VARIABLE, serve

    with tempfile.TemporaryDirectory(prefix="cxr-train-metrics-") as directory:
        os.environ[DIRECTORY_VARIABLE] = directory
        server = serve(tree.telemetry.port, tree.telemetry.address, Path(directory))
        try:
            yield
        finally:
            server.close()
            del os.environ[DIRECTORY_VARIABLE]


if __name__ == "__main__":
    main()
