"""The command that starts the ranks of an attempt. Pure, but for ``start``.

No value of the environment is in it: ranks get theirs from ``work``, in their own pod.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from k8s.environment import of_mpirun

SSH = ("ssh",)


def command(
    hosts: Sequence[str],
    ranks_per_host: int,
    attempt: int,
    rank_command: Sequence[str],
    *,
    as_root: bool = False,
) -> list[str]:
    """The argument list. Ranks fill a host before the next: rank 0 is on the first."""
    places = ",".join(f"{host}:{ranks_per_host}" for host in hosts)
    ranks = len(hosts) * ranks_per_host
    options = ["--host", places, "-np", str(ranks), "--map-by", "slot", "--bind-to", "none", "--oversubscribe"]
    starter = [sys.executable, "-m", "k8s.rank", str(attempt)]
    return ["mpirun", *options, *(["--allow-run-as-root"] if as_root else []), *starter, *rank_command]


def rank_command(verb: str, config_file: str, assignments: Sequence[str], log_format: str) -> list[str]:
    """The trainer of one rank."""
    settings = [part for each in assignments for part in ("--set", each)]
    return [
        sys.executable,
        "-m",
        "trainer.cli",
        verb,
        "--config",
        config_file,
        *settings,
        "--log-format",
        log_format,
    ]


def start(
    arguments: Sequence[str], environment: Mapping[str, str], ssh: Sequence[str] = SSH
) -> subprocess.Popen[bytes]:
    """Starts mpirun in a process group of its own, its words in one pipe."""
    remote = {"OMPI_MCA_plm_rsh_agent": ssh[0], "OMPI_MCA_plm_rsh_args": " ".join([*ssh[1:], *_SSH_OPTIONS])}
    return subprocess.Popen(
        arguments,
        env=of_mpirun(environment) | remote,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        # Its daemons change to the same folder on the workers.
        cwd="/",
    )


_SSH_OPTIONS = ("-o", "BatchMode=yes")
