"""Which ranks hang, when none of them makes a step any more: all wait for one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from trainer.telemetry.beat import PHASES

_ORDER = {phase: place for place, phase in enumerate(PHASES)}
_DOING = {
    "starting": "starting",
    "saving": "saving a checkpoint",
    "validating": "validating",
    "films": "waiting for films",
    "step": "in a step",
    "scoring": "scoring",
}


@dataclass(frozen=True)
class Standing:
    """Where a rank stands, and since when (seconds, any origin)."""

    worker: str
    phase: str
    step: int
    scored: int
    since: float
    state: str = ""
    """Of its process: ``stopped``, ``blocked``, or nothing special."""


def still_seconds(standings: Mapping[int, Standing], now: float) -> float:
    """How long no rank has moved. Ranks step together, so one that hangs holds all."""
    return min((now - each.since for each in standings.values()), default=0.0)


def has_begun(standings: Mapping[int, Standing], first_step: int) -> bool:
    """Whether a step was made since the attempt began: the first one takes long, and is bounded otherwise."""
    return any(each.step > first_step or each.scored > 0 for each in standings.values())


def blame(standings: Mapping[int, Standing], seconds: float) -> str:
    """One line that names the ranks that hang, and how one can tell."""
    for state, words in (("stopped", "is stopped (SIGSTOP)"), ("blocked", "waits for a disk or a file server")):
        found = [rank for rank, each in standings.items() if each.state == state]
        if found:
            return f"{_names(standings, found)} {words}: no step for {seconds:.0f} s"
    last = min((_place(each) for each in standings.values()), default=None)
    behind = [rank for rank, each in standings.items() if _place(each) == last]
    if len(behind) < len(standings):
        one = standings[behind[0]]
        ahead = max(standings.values(), key=_place)
        return (
            f"{_names(standings, behind)} hangs {_DOING[one.phase]} after step {one.step}, "
            f"the others are {_DOING[ahead.phase]}: no step for {seconds:.0f} s"
        )
    all_same = standings[behind[0]]
    doing = f"{_DOING[all_same.phase]} after step {all_same.step}"
    return (
        f"all ranks are {doing} and none moves, as if the network between them were down: no step for {seconds:.0f} s"
    )


def _place(standing: Standing) -> tuple[int, int, int]:
    return standing.step, _ORDER[standing.phase], standing.scored


def _names(standings: Mapping[int, Standing], ranks: list[int]) -> str:
    named = [f"rank {rank} on {standings[rank].worker}" for rank in sorted(ranks)[:5]]
    return ", ".join(named) + (f" and {len(ranks) - 5} more" if len(ranks) > 5 else "")
