"""One attempt: mpirun on the workers that are there, watched until it is over."""

import contextlib
import logging
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from k8s import mpirun, stall, watch
from k8s.attempts import Outcome, RankEnd
from k8s.channel import Said
from k8s.crew import Asked, Crew, MpirunEnded, Worker
from k8s.place import Place
from k8s.stall import Standing
from trainer.config import Config

log = logging.getLogger("cxr_train")

_SETTLE_SECONDS = 3.0
"""What the workers get to tell how their ranks ended, once mpirun is gone."""
_SILENCE_SECONDS = 45.0
"""The same, where a worker is not on the line: until ssh and the control plane have noticed."""
_MPIRUN_SECONDS = 30.0
"""What mpirun gets to end the others once a rank has failed."""
_WORDS = 60


@dataclass(frozen=True)
class Plan:
    """What an attempt is to run, and where."""

    number: int
    verb: str
    command: Sequence[str]
    """Of one rank."""
    members: Sequence[Worker]


class Attempt:
    """A running attempt.

    Args:
        progress: told of rank 0's beat.
        say: passes a rank's line on to the launcher's own log.
    """

    def __init__(
        self,
        config: Config,
        place: Place,
        crew: Crew,
        plan: Plan,
        progress: Callable[[Mapping[str, Any]], None],
        say: Callable[[str], None],
        ssh: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        self._config, self._place, self._crew, self._plan = config, place, crew, plan
        self._progress, self._say, self._ssh, self._clock = progress, say, ssh, clock
        self.uids = {each.index: crew.uid(each) for each in plan.members}
        """Of the pods on which it runs, by the workers' index."""
        self._pods = {each.index: each.pod for each in plan.members}
        self._outcome = Outcome(ranks=len(plan.members) * place.ranks_per_worker)
        self._ends: dict[int, RankEnd] = {}
        self._standings: dict[int, Standing] = {}
        self._first_steps: dict[int, int] = {}
        self._words: deque[str] = deque(maxlen=_WORDS)
        self._mpirun: subprocess.Popen[bytes] | None = None
        self._began = clock()
        self._mpirun_ended: float | None = None
        self._failed: float | None = None
        self._stopping: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether the launcher itself was told to leave."""
        return self._stopping is not None

    def run(self) -> Outcome:
        """Until its ranks have ended, or it has to be given up: then what is left of it is ended."""
        self._start()
        try:
            while not self._is_over():
                event = self._crew.next()
                if isinstance(event, Said):
                    self._hear(self._crew.workers[event.worker], event.message)
                elif isinstance(event, MpirunEnded) and event.attempt == self._plan.number:
                    self._mpirun_ended = self._clock()
                    self._outcome = replace(self._outcome, mpirun_code=event.code)
                elif isinstance(event, Asked):
                    self._stop()
        finally:
            self._end_mpirun()
        return replace(self._outcome, ends=tuple(self._ends.values()), mpirun_words=tuple(self._words))

    def _start(self) -> None:
        plan = self._plan
        hosts = [self._place.host(each.index) for each in plan.members]
        line = mpirun.command(hosts, self._place.ranks_per_worker, plan.number, plan.command, as_root=os.geteuid() == 0)
        self._mpirun = mpirun.start(line, os.environ, self._ssh)
        threading.Thread(target=self._follow, args=(self._mpirun,), daemon=True).start()

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            self._words.append(line.decode(errors="replace").rstrip())
        self._crew.events.put(MpirunEnded(self._plan.number, process.wait()))

    def _hear(self, worker: Worker, message: Mapping[str, Any]) -> None:
        kind = message["kind"]
        if kind == "note":
            log.warning("%s", message["text"])
        elif kind == "leaving":
            name = self._place.worker(worker.index)
            log.info("%s is told to leave: the ranks stop after a checkpoint", name)
            self._outcome = replace(self._outcome, leaving=name, disrupted=True)
        elif message.get("attempt") != self._plan.number:
            return
        elif kind == "line":
            self._say(message["text"])
        elif kind == "beat":
            self._take_beat(worker, message)
        elif kind == "ended":
            self._take_end(worker, message)

    def _take_beat(self, worker: Worker, message: Mapping[str, Any]) -> None:
        rank, beat = message["rank"], message["beat"]
        new = Standing(
            self._place.worker(worker.index),
            beat["phase"],
            int(beat["step"]),
            int(beat["scored"]),
            self._clock(),
            message["state"],
        )
        old = self._standings.get(rank)
        if old and (old.phase, old.step, old.scored) == (new.phase, new.step, new.scored):
            new = replace(new, since=old.since)
        self._standings[rank] = new
        if beat["steps"]:
            self._first_steps.setdefault(rank, new.step)
        if rank == 0:
            self._progress(beat)

    def _take_end(self, worker: Worker, message: Mapping[str, Any]) -> None:
        name = self._place.worker(worker.index)
        end = RankEnd(
            message["rank"],
            name,
            message["code"],
            message["last"],
            message["by_others"],
            message["out_of_memory"],
            message["by_signal"],
        )
        self._ends[end.rank] = end
        if end.code and not end.by_others:
            self._failed = self._failed or self._clock()
            for line in message["tail"]:
                self._say(f"rank {end.rank}: {line}")

    def _is_over(self) -> bool:
        now = self._clock()
        if self._stopping is not None:
            return self._mpirun_ended is not None or now - self._stopping > self._config.cluster.grace_seconds
        if self._mpirun_ended is not None:
            return self._has_settled(now - self._mpirun_ended)
        if self._lost():
            return True
        if self._failed is not None:
            return now - self._failed > _MPIRUN_SECONDS
        return self._hangs(now)

    def _has_settled(self, seconds: float) -> bool:
        """Whether all is told that will be. A peer's death is told later than what it did to the others."""
        if len(self._ends) == self._outcome.ranks and not any(end.by_others for end in self._ends.values()):
            whole = all(end.code == 0 for end in self._ends.values())
            if whole or seconds > _SETTLE_SECONDS:
                return self._lost() or True
        if self._lost():
            return True
        on_line = all(each.on_line for each in self._plan.members)
        return seconds > (_SETTLE_SECONDS if on_line else _SILENCE_SECONDS)

    def _lost(self) -> bool:
        """Whether a worker is; which one, and why, is kept."""
        for each in self._plan.members:
            if each.pod and self._crew.uid(each) == self.uids[each.index]:
                self._pods[each.index] = each.pod
            why = self._crew.loss(each, self.uids[each.index])
            # A worker that leaves in order, its ranks gone with their checkpoint, is told by their ends.
            if why and not self._all_stopped():
                last = self._pods[each.index]
                disrupted = "gone" in why or bool(last and watch.is_disrupted(last))
                text = f"{self._place.worker(each.index)} was lost: {why}"
                self._outcome = replace(self._outcome, lost=text, disrupted=disrupted)
                return True
        return False

    def _all_stopped(self) -> bool:
        return len(self._ends) == self._outcome.ranks and all(end.code == 143 for end in self._ends.values())

    def _hangs(self, now: float) -> bool:
        limit = self._config.restarts.stall_seconds
        scored = any(each.scored for each in self._standings.values())
        if not scored and not any(
            each.step > self._first_steps.get(r, each.step) for r, each in self._standings.items()
        ):
            limit = max(limit, self._config.cluster.start_timeout_seconds)
        if len(self._standings) < self._outcome.ranks:
            if now - self._began <= self._config.cluster.start_timeout_seconds:
                return False
            missing = sorted(set(range(self._outcome.ranks)) - self._standings.keys())
            text = f"rank {', '.join(map(str, missing[:8]))} did not start within {now - self._began:.0f} s"
        else:
            seconds = stall.still_seconds(self._standings, now)
            if seconds <= limit:
                return False
            text = stall.blame(self._standings, seconds)
        self._outcome = replace(self._outcome, hung=text)
        return True

    def _stop(self) -> None:
        """Ranks are asked through ``work``, never through mpirun, which would give them a second to live."""
        if self._stopping is None:
            self._stopping = self._clock()
            log.info("told to leave: the ranks stop after a checkpoint")
            self._crew.ask(self._plan.members, do="signal", signal=int(signal.SIGTERM))

    def _end_mpirun(self) -> None:
        """By force: an orderly end would wait for daemons that may be gone. Theirs, and the ranks', follow."""
        if self._mpirun:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._mpirun.pid, signal.SIGKILL)
            self._mpirun.wait()
            self._crew.reap_orphans()
