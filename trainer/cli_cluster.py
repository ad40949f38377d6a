"""The verbs that need a cluster. What they call is imported by them alone: a laptop has no use for it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from trainer import settings
from trainer.console import Debug, File, LogFormat, Set, errors_in_one_line

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="default: the kubeconfig's", show_default=False)]
Release = Annotated[str, typer.Option("--release", help="of helm install")]


def add_cluster_verbs(app: typer.Typer) -> None:
    """Makes them verbs of ``cxr-train``; those that pods run are not listed."""
    app.command()(status)
    app.command()(doctor)
    app.command(hidden=True)(launch)
    app.command(hidden=True)(work)


def launch(config: File = None, set_: Set = None, debug: Debug = False, log_format: LogFormat = "text") -> None:
    """In the launcher's pod: waits for the workers, starts the ranks, starts them again if need be."""
    from k8s.client import KubernetesCluster
    from k8s.launcher import launch as run
    from k8s.place import from_environment
    from k8s.termination import failing_for_good
    from trainer.telemetry import logs

    with errors_in_one_line(debug):
        logs.start(log_format, 0, sys.stdout)
        place = from_environment(os.environ)
        cluster = KubernetesCluster(place.namespace)
        with failing_for_good(cluster, place):
            tree = settings.load(config, set_ or [])
        code = run(tree, str(config), set_ or [], log_format, cluster, place)
    raise typer.Exit(code)


def work(config: File = None, set_: Set = None, debug: Debug = False) -> None:
    """In a worker's pod: sshd, ranks, their metrics and their end."""
    from k8s.place import from_environment
    from k8s.worker import work as run

    with errors_in_one_line(debug):
        code = run(settings.load(config, set_ or []), from_environment(os.environ))
    raise typer.Exit(code)


def status(namespace: Namespace = "", release: Release = "cxr-train", debug: Debug = False) -> None:
    """Shows a release's job in the cluster: its pods, restarts, progress and last failure."""
    from k8s.client import KubernetesCluster
    from k8s.status import show

    with errors_in_one_line(debug):
        show(KubernetesCluster(namespace), release)


def doctor(
    namespace: Namespace = "",
    values: Annotated[list[Path] | None, typer.Option("--values", "-f", help="as helm's; repeatable")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="as helm's; repeatable")] = None,
    chart: Annotated[Path, typer.Option("--chart", help="folder of the chart")] = Path("helm"),
    debug: Debug = False,
) -> None:
    """Checks a cluster before helm install: what is missing, and its cure; exit 4 if the job could not run."""
    from k8s.client import KubernetesCluster
    from k8s.doctor import examine

    with errors_in_one_line(debug):
        code = examine(lambda: KubernetesCluster(namespace), chart, values or [], set_ or [])
    raise typer.Exit(code)
