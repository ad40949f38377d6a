"""Process 1 of the launcher: from the first worker's sshd to the last attempt's end. ``cxr-train launch``."""

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from k8s import mpirun, progress, sshd, watch
from k8s.attempt import Attempt, Plan
from k8s.attempts import Outcome, Verdict, verdict
from k8s.client import Cluster
from k8s.crew import Asked, Crew, Worker
from k8s.muster import Muster
from k8s.patience import Answer, patiently
from k8s.place import Place
from k8s.predecessors import predecessors
from k8s.progress import Annotator
from k8s.termination import end_retries, write_reason
from trainer.config import Config
from trainer.errors import ClusterError, CxrError, Stopped
from trainer.topology import films_per_rank

log = logging.getLogger("cxr_train")

_LEAVE_SECONDS = 30.0
_PAUSE_SECONDS = 2.0


def launch(
    config: Config,
    config_file: str,
    assignments: Sequence[str],
    log_format: str,
    cluster: Cluster,
    place: Place,
    ssh: Sequence[str] = mpirun.SSH,
) -> int:
    """Trains, then scores; the launcher's exit code. A failure is told in log, termination message, MPIJob."""
    sshd.name_this_user()
    launcher = Launcher(config, config_file, assignments, log_format, cluster, place, ssh)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: launcher.crew.events.put(Asked(number)))  # noqa: ARG005
    return launcher.run()


class Launcher:
    """One start of the launcher: several attempts, and those of the launchers before it counted."""

    def __init__(
        self,
        config: Config,
        config_file: str,
        assignments: Sequence[str],
        log_format: str,
        cluster: Cluster,
        place: Place,
        ssh: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._config_file, self._assignments, self._format = config, config_file, assignments, log_format
        self._cluster, self._place, self._ssh, self._clock = cluster, place, ssh, clock
        self.crew = Crew(cluster, place, ssh, clock)
        self._muster = Muster(config, place, self.crew, clock)
        self._annotator = Annotator(lambda values: cluster.annotate(place.job, values), log.warning)
        self._attempt = self._restarts = self._failures = 0

    def run(self) -> int:
        """The exit code; nothing that a user can cure is raised."""
        try:
            self._go_on_from_before()
            self._wait_for_predecessors()
            films_per_rank(self._config.train.global_batch_size, self._place.workers * self._place.ranks_per_worker)
            self._until_done("train", "Training", [])
            if split := self._split_to_score():
                self._until_done("evaluate", "Evaluating", [f"evaluate.split={split}"])
        except Stopped as stopped:
            return self._leave(stopped)
        except Permanent as error:
            return self._fail(str(error), error.code)
        except CxrError as error:
            return self._fail(str(error), error.exit_code)
        return self._succeed()

    # ---- Before ----

    def _go_on_from_before(self) -> None:
        told = progress.read(self._patiently(lambda: self._cluster.job(self._place.job)))
        self._attempt = int(told.get("attempt", 0))
        self._restarts, self._failures = int(told.get("restarts", 0)), int(told.get("failures", 0))
        if self._attempt:
            self._restarts += 1
            log.info("a new launcher goes on after attempt %d", self._attempt)
        self._annotator.set({"phase": "Waiting", "restarts": str(self._restarts), "reason": ""})

    def _wait_for_predecessors(self) -> None:
        """One release has one writer: an upgrade's older job leaves, with its checkpoint, before this one begins."""
        deadline = self._clock() + self._config.cluster.start_timeout_seconds
        told: list[str] = []
        while names := self._patiently(lambda: predecessors(self._cluster, self._place)):
            if names != told:
                told = names
                log.info("waiting for %s of the same release to leave", ", ".join(names))
            if self._clock() > deadline:
                raise ClusterError(
                    "release", self._place.release, f"still runs {', '.join(names)}", "delete it: kubectl delete mpijob"
                )
            self._pause()

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        deadline = self._clock() + self._config.cluster.start_timeout_seconds
        return patiently(ask, lambda: self._clock() > deadline, self._pause)

    def _pause(self) -> None:
        self._refuse_signal(self.crew.next(_PAUSE_SECONDS))

    def _split_to_score(self) -> str:
        data, evaluate = self._config.data, self._config.evaluate
        if not self._config.cluster.evaluate:
            return ""
        if evaluate.split == "test" and data.test:
            return "test"
        return "validation" if data.validation else ""

    # ---- Attempts ----

    def _until_done(self, verb: str, phase: str, assignments: Sequence[str]) -> None:
        """Attempts until one is done. Raises Stopped, or what no further attempt would cure."""
        grace = self._config.cluster.grace_seconds
        while True:
            members = self._ready(verb, grace)
            self._annotator.set({"phase": phase, "attempt": str(self._attempt), "restarts": str(self._restarts)})
            attempt, outcome = self._run(verb, members, assignments)
            found = verdict(outcome)
            if attempt.stopping:
                raise Stopped("signal", f"attempt {self._attempt}", _stopped(outcome), "start again to go on")
            if found.kind == "done":
                return
            if found.kind == "permanent":
                raise Permanent(found)
            self._count(found)
            if outcome.lost:
                self._replace_silent(members, attempt.uids)
            self.crew.replace_ended()
            # What is left of a failed attempt has nothing to save: its ranks step together, or not at all.
            grace = 0.0

    def _ready(self, verb: str, grace_seconds: float) -> Sequence[Worker]:
        """The workers of the next attempt, their older ranks ended."""
        while True:
            members = self._muster.gather(self._refuse_signal, first=self._attempt == 0)
            known = max(each.attempt for each in members)
            self._attempt = max(self._attempt, known) + 1
            if self._muster.clear(members, self._attempt, grace_seconds, verb == "train", self._refuse_signal):
                return members

    def _run(self, verb: str, members: Sequence[Worker], assignments: Sequence[str]) -> tuple[Attempt, Outcome]:
        ranks = len(members) * self._place.ranks_per_worker
        films_per_rank(self._config.train.global_batch_size, ranks)
        wanted = self._place.workers * self._place.ranks_per_worker
        counts = [f"collectives.expected_ranks={ranks}", f"collectives.wanted_ranks={wanted}"]
        settings = [*self._assignments, *assignments, *counts]
        command = mpirun.rank_command(verb, self._config_file, settings, self._format)
        log.info("%s on %d workers, %d ranks (attempt %d)", verb, len(members), ranks, self._attempt)
        plan = Plan(self._attempt, verb, command, members)
        attempt = Attempt(
            self._config, self._place, self.crew, plan, self._told_beat, _say_line, self._ssh, self._clock
        )
        return attempt, attempt.run()

    def _told_beat(self, beat: Mapping[str, Any]) -> None:
        self._annotator.set(progress.of_beat(beat))

    def _count(self, found: Verdict) -> None:
        """One restart more; raises ClusterError once the failures among them are more than allowed."""
        self._restarts += 1
        self._failures += found.counts
        limit = self._config.restarts.limit
        if self._failures > limit:
            raise ClusterError("restarts.limit", limit, f"restarts are used up: {found.reason}", "see the log above")
        log.warning("%s; restart %d (%d of %d failures)", found.reason, self._restarts, self._failures, limit)
        self._annotator.set(
            {
                "phase": "Restarting",
                "restarts": str(self._restarts),
                "failures": str(self._failures),
                "reason": found.reason,
            }
        )

    def _replace_silent(self, members: Sequence[Worker], uids: Mapping[int, str]) -> None:
        """One that has gone silent is no use, whatever it thinks of itself. Its successor, if it has one, stays."""
        for each in members:
            if not each.on_line and self.crew.uid(each) == uids[each.index]:
                self.crew.delete(each, None)

    def _refuse_signal(self, event: object) -> None:
        if isinstance(event, Asked):
            raise Stopped("signal", "no attempt", "ran when the launcher was told to leave", "start again to go on")

    # ---- After ----

    def _succeed(self) -> int:
        log.info("done, after %d restarts", self._restarts)
        self._annotator.set({"phase": "Succeeded", "reason": "", "eta": "0s"})
        self._end_job()
        return 0

    def _leave(self, stopped: Stopped) -> int:
        log.info("%s", stopped)
        self._annotator.set({"phase": "Stopped", "reason": str(stopped)})
        write_reason(str(stopped))
        self._annotator.close()
        return stopped.exit_code

    def _fail(self, reason: str, code: int) -> int:
        log.error("failed: %s", reason)
        write_reason(reason)
        self._annotator.set({"phase": "Failed", "reason": reason})
        end_retries(self._cluster, self._place)
        self._end_job()
        return code

    def _end_job(self) -> None:
        """Lets the workers end in order, so that their pods and logs stay: the operator deletes those that run."""
        self.crew.ask(self.crew.workers, do="over")
        deadline = self._clock() + _LEAVE_SECONDS
        while self._clock() < deadline and any(
            each.pod and each.on_line and watch.phase_of(each.pod) == "Running" for each in self.crew.workers
        ):
            self.crew.next()
        self._annotator.close()
        self.crew.close()


class Permanent(Exception):
    """A rank's failure that another attempt would repeat: in its own words, with its own code."""

    def __init__(self, found: Verdict) -> None:
        super().__init__(found.reason)
        self.code = found.code


def _stopped(outcome: Outcome) -> str:
    if any(end.saved for end in outcome.ends):
        return "was stopped, its checkpoint is committed"
    return "was stopped before its checkpoint was committed"


def _say_line(line: str) -> None:
    sys.stdout.write(line + os.linesep)
    sys.stdout.flush()
