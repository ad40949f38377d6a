"""How long a store has been away, and when it is asked again. Pure."""

from dataclasses import dataclass

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class Outage:
    """Times are seconds of one clock."""

    began: float
    wait_seconds: float
    again_at: float

    @classmethod
    def begins(cls, now: float) -> "Outage":
        """The store has just failed for the first time."""
        return cls(now, FIRST_WAIT_SECONDS, now + FIRST_WAIT_SECONDS)

    def goes_on(self, now: float) -> "Outage":
        """It has failed again: twice as long a wait, up to the longest."""
        wait = min(2 * self.wait_seconds, LONGEST_WAIT_SECONDS)
        return Outage(self.began, wait, now + wait)
