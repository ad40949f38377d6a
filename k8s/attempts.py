"""How an attempt ended, and whether another follows: with which workers, and for which reason. Pure."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from trainer.errors import PeerLost, Stopped, StoreDown

_DECLARED = range(2, 6)
"""What our own errors exit with: no loss of a peer leads to them, so they are permanent whoever else has failed."""


@dataclass(frozen=True)
class RankEnd:
    """A rank's end, as its worker tells it."""

    rank: int
    worker: str
    code: int
    last: str = ""
    """The last line it said."""
    by_others: bool = False
    """Killed together with its starter: mpirun ends the rest of an attempt."""
    out_of_memory: str = ""
    """Which limit it was killed at; empty if it was not killed for want of memory."""
    by_signal: bool = False
    """Ended by a signal, not by itself: SIGTERM before it trains leaves the code of a stop, and no checkpoint."""

    @property
    def saved(self) -> bool:
        """It stopped by itself, which it does only once a checkpoint is committed."""
        return self.code == Stopped.exit_code and not self.by_signal


@dataclass(frozen=True)
class Outcome:
    """What is known once an attempt is over."""

    ranks: int
    ends: Sequence[RankEnd] = ()
    """In the order in which they were told."""
    lost: str = ""
    """The worker that was lost, and its cause."""
    leaving: str = ""
    """The worker whose pod was told to leave."""
    disrupted: bool = False
    """The cluster took it: an eviction, a deletion, a node."""
    hung: str = ""
    """Which ranks made no step."""
    mpirun_code: int | None = None
    mpirun_words: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Verdict:
    """What follows an attempt. ``code`` is for the launcher's own end."""

    kind: Literal["done", "permanent", "retry"]
    code: int
    reason: str = ""
    counts: bool = True
    """Whether a retry is one of ``restarts.limit``."""


def verdict(outcome: Outcome) -> Verdict:
    """Done, not worth another attempt, or worth one."""
    own = [end for end in outcome.ends if not _is_others_fault(end)]
    declared = next((end for end in own if end.code in _DECLARED), None)
    if declared:
        return Verdict("permanent", declared.code, _words(declared))
    if outcome.lost:
        return Verdict("retry", 128 + signal.SIGKILL, outcome.lost, counts=not outcome.disrupted)
    if outcome.hung:
        return Verdict("retry", 128 + signal.SIGKILL, outcome.hung)
    killed = next((end for end in own if end.code >= 128), None)
    if killed:
        return Verdict("retry", killed.code, _words(killed))
    if own:
        return Verdict("permanent", own[0].code, _words(own[0]))
    stopped = [end for end in outcome.ends if end.code == Stopped.exit_code]
    if stopped:
        saved = "after a checkpoint" if any(end.saved for end in stopped) else "before they trained"
        text = f"{outcome.leaving or stopped[0].worker} was told to leave; the ranks stopped {saved}"
        return Verdict("retry", Stopped.exit_code, text, counts=not outcome.disrupted)
    if len(outcome.ends) == outcome.ranks and all(end.code == 0 for end in outcome.ends):
        return Verdict("done", 0)
    if outcome.ends and any(end.code for end in outcome.ends):
        return Verdict("retry", PeerLost.exit_code, "the ranks lost one another, and none of them failed by itself")
    return Verdict("retry", PeerLost.exit_code, _mpiruns_words(outcome))


def fewer_workers(ready: Sequence[int], minimum: int, global_batch_size: int, ranks_per_worker: int) -> list[int]:
    """The most of the ready workers whose ranks divide the batch, the first ones; none below ``minimum`` (0: never)."""
    for count in range(len(ready), max(minimum, 1) - 1 if minimum else len(ready), -1):
        if global_batch_size % (count * ranks_per_worker) == 0:
            return list(ready[:count])
    return []


def _is_others_fault(end: RankEnd) -> bool:
    if end.out_of_memory:
        return False
    return end.by_others or end.code in (0, PeerLost.exit_code, Stopped.exit_code)


def _words(end: RankEnd) -> str:
    who = f"rank {end.rank} on {end.worker}"
    if end.out_of_memory:
        return (
            f"{who} was killed for want of memory, at {end.out_of_memory}; "
            "raise the worker's memory limit, or lower train.global_batch_size"
        )
    number = end.code - 128
    if number in set(signal.Signals) and end.code != StoreDown.exit_code:
        return f"{who} was ended by {signal.Signals(number).name} (exit {end.code})"
    said = f": {end.last}" if end.last else ""
    return f"{who} ended with exit code {end.code}{said}"


def _mpiruns_words(outcome: Outcome) -> str:
    said = [line.strip() for line in outcome.mpirun_words if line.strip("- \n")]
    words = f": {' '.join(said)[:600]}" if said else ""
    return f"mpirun ended with {outcome.mpirun_code} after {len(outcome.ends)} of {outcome.ranks} ranks{words}"
