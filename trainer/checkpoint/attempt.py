"""The starts of a run, numbered. The newest one's claim is the lease on the run: who writes, and whether it lives.

A claim is an object of its own, made exclusively, and only its owner writes it again: no two starts share a number,
none can overwrite another's word, and a late writer of an older one finds that there is a newer.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from trainer.checkpoint.owner import Owner, Process
from trainer.data.store.store import AlreadyThere, NotThere, Store
from trainer.errors import CxrError, DataError

log = logging.getLogger("cxr_train")

CLAIMS = "attempts"

_LOOKS_A_LEASE = 10


@dataclass(frozen=True)
class Claim:
    """What an attempt says of itself."""

    owner: Owner
    since: str
    """When it began, by its own clock: for people."""
    lease_seconds: float
    """It is taken to be dead once ``renewals`` has not moved for so long."""
    renewals: int = 0
    ended: bool = False

    def to_json(self) -> bytes:
        """Readable JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Claim":
        """What ``to_json`` wrote. Raises ValueError, KeyError or TypeError."""
        found = json.loads(content)
        owner = found.pop("owner")
        return cls(owner=Owner(**{**owner, "process": Process(**owner["process"])}), **found)


class Attempt:
    """This start of a run: ``number`` is its own. ``claim`` makes one."""

    def __init__(self, store: Store, number: int, claim: Claim) -> None:
        self._store, self._claim = store, claim
        self.number = number

    @property
    def lease_seconds(self) -> float:
        """How long others wait for a sign of life."""
        return self._claim.lease_seconds

    def refuse_if_older(self) -> None:
        """Raises DataError if a newer attempt has started since."""
        newest = _newest_number(self._store)
        if newest > self.number:
            raise DataError(
                self._store.key,
                self._store.where,
                f"belongs to attempt {newest}; this is attempt {self.number}",
                "let the newer one run, or give this run a directory of its own",
            )

    def renew(self) -> None:
        """Gives a sign of life. Raises DataError if a newer attempt has started since, or StoreDown."""
        self.refuse_if_older()
        self._write(replace(self._claim, renewals=self._claim.renewals + 1))

    def end(self) -> None:
        """Lets the next one begin at once."""
        self._write(replace(self._claim, ended=True))

    def _write(self, claim: Claim) -> None:
        self._store.write(_name(self.number), claim.to_json())
        self._claim = claim


def claim(
    store: Store,
    owner: Owner,
    lease_seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
) -> Attempt:
    """Begins an attempt, once the one before it has ended, is dead, or is this very job's own.

    Waits for a predecessor of the same release for as long as it lives. ``clock`` counts seconds; no two machines'
    clocks are compared. Raises DataError if another job writes the run, StoreDown, and what ``pause`` raises.
    """
    while True:
        number = _after_the_holder(store, owner, clock, pause) + 1
        fresh = Claim(owner, _now(), lease_seconds)
        try:
            store.create(_name(number), fresh.to_json())
        except AlreadyThere:
            # Another was faster: maybe this job's own, maybe not.
            continue
        store.sweep("step-")
        return Attempt(store, number, fresh)


def _after_the_holder(store: Store, owner: Owner, clock: Callable[[], float], pause: Callable[[float], object]) -> int:
    """The number of the newest attempt, once it no longer holds the run."""
    seen: tuple[int, Claim] | None = None
    still_since = clock()
    while True:
        number = _newest_number(store)
        holder = _read(store, number)
        if holder is None or _is_over(holder, owner):
            return number
        if (number, holder) != seen:
            if (seen or holder.owner.process.is_seen(owner.process)) and not owner.same_release(holder.owner):
                raise _held(store, number, holder)
            if seen is None:
                log.info("%s", _waiting(number, holder, owner))
            seen, still_since = (number, holder), clock()
        elif clock() - still_since > holder.lease_seconds:
            log.warning("attempt %d (%s) gives no sign of life: going on after it", number, holder.owner)
            return number
        pause(holder.lease_seconds / _LOOKS_A_LEASE)


def _is_over(holder: Claim, owner: Owner) -> bool:
    return holder.ended or owner.same_job(holder.owner) or holder.owner.process.is_seen_to_be_gone(owner.process)


def _newest_number(store: Store) -> int:
    names = (each.name for each in store.under(CLAIMS).entries())
    return max((int(name) for name in names if name.isdigit()), default=0)


def _read(store: Store, number: int) -> Claim | None:
    """A claim; None if there is none, or one that says nothing."""
    try:
        return Claim.from_json(store.read(_name(number)))
    except (NotThere, ValueError, KeyError, TypeError):
        return None


def _name(number: int) -> str:
    return f"{CLAIMS}/{number:06d}"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _held(store: Store, number: int, holder: Claim) -> CxrError:
    return DataError(
        store.key,
        store.where,
        f"is written by {holder.owner} since {holder.since} (attempt {number})",
        "let it end, stop it, or choose another directory",
    )


def _waiting(number: int, holder: Claim, owner: Owner) -> str:
    who = f"attempt {number}, {holder.owner}, since {holder.since}"
    if owner.same_release(holder.owner):
        return f"waiting for the end of {who}: it is of the same release"
    return f"looking for up to {holder.lease_seconds:g} s whether {who}, is alive"
