"""Who may write a run: one job at a time, the next one of the same at once, another once it is dead; never two."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from trainer.checkpoint.attempt import Attempt, claim
from trainer.checkpoint.lease import Lease
from trainer.checkpoint.owner import Owner, Process
from trainer.checkpoint.reading import newest
from trainer.checkpoint.writing import commit
from trainer.data.store.folder import FolderStore
from trainer.data.store.store import Store
from trainer.errors import DataError, StoreDown

LEASE_SECONDS = 60.0


def owner(job: str = "", release: str = "", process: Process | None = None) -> Owner:
    """Each on a machine of its own, if no process is given."""
    place = process or Process(f"the machine of {job}", 7, 1)
    return Owner(job and f"films/{job}", release and f"films/{release}", "node-a", place)


ALICE, BOB = owner("alice-1", "alice"), owner("bob-1", "bob")


class Clock:
    """Time that passes while something is waited for; at each look, ``meanwhile`` happens."""

    def __init__(self, meanwhile: Callable[[float], object] = abs) -> None:
        self.now, self._meanwhile = 0.0, meanwhile

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self._meanwhile(self.now)


def begin(store: Store, who: Owner, clock: Clock | None = None) -> Attempt:
    clock = clock or Clock()
    return claim(store, who, LEASE_SECONDS, clock=clock, pause=clock.pause)


def test_each_start_of_a_job_is_a_new_attempt_and_none_waits(store: Store) -> None:
    clock = Clock()
    assert [begin(store, ALICE, clock).number for _ in range(3)] == [1, 2, 3]
    assert clock.now == 0.0


def test_a_job_that_has_ended_is_followed_at_once_by_any_other(store: Store) -> None:
    begin(store, ALICE).end()
    clock = Clock()
    assert begin(store, BOB, clock).number == 2
    assert clock.now == 0.0


def test_a_second_job_is_refused_while_the_first_gives_signs_of_life(store: Store) -> None:
    alice = begin(store, ALICE)
    clock = Clock(lambda now: alice.renew() if now >= 20 else None)
    with pytest.raises(DataError) as refused:
        begin(store, BOB, clock)
    assert clock.now < LEASE_SECONDS
    words = str(refused.value)
    assert words.startswith(f"checkpoint.directory: '{store.where}' is written by job films/alice-1 ")
    assert " (release films/alice) on node-a since 2" in words
    assert words.endswith("(attempt 1); let it end, stop it, or choose another directory")
    assert begin(store, ALICE).number == 2


def test_a_holder_that_is_silent_for_the_time_of_its_lease_is_followed(store: Store) -> None:
    begin(store, ALICE)
    clock = Clock()
    assert begin(store, BOB, clock).number == 2
    assert LEASE_SECONDS < clock.now < LEASE_SECONDS * 1.2


def test_a_successor_of_the_same_release_waits_until_its_predecessor_ends(store: Store) -> None:
    before = begin(store, ALICE)
    clock = Clock(lambda now: before.end() if now > 1000 else before.renew())
    assert begin(store, owner("alice-2", "alice"), clock).number == 2
    assert clock.now > 1000


def test_a_wait_ends_with_what_the_pause_raises(store: Store) -> None:
    before = begin(store, ALICE)

    def stopped(now: float) -> None:
        before.renew()
        if now > 100:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        begin(store, owner("alice-2", "alice"), Clock(stopped))


def test_another_job_that_claims_first_is_seen(store: Store) -> None:
    begin(store, ALICE)
    carol = owner("carol-1", "carol")
    clock = Clock(lambda now: begin(store, ALICE) if 55 < now < 62 else None)
    with pytest.raises(DataError, match="alice-1"):
        begin(store, carol, clock)


def test_of_jobs_that_start_at_once_each_has_a_number_of_its_own(store: Store) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(begin(store, ALICE).number)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1, 9))


def test_two_runs_of_one_machine_do_not_share_a_folder(folder: FolderStore) -> None:
    begin(folder, owner(process=Process.own()))
    clock = Clock()
    with pytest.raises(DataError, match=r"is written by process \d+ on "):
        begin(folder, owner(process=replace(Process.own(), number=1)), clock)
    assert clock.now == 0.0


CLAIMS_AND_WAITS = """
import os, sys
from pathlib import Path
from trainer.checkpoint.attempt import claim
from trainer.checkpoint.owner import Owner
from trainer.data.store.folder import FolderStore
claim(FolderStore(Path(sys.argv[1]), "checkpoint.directory"), Owner.of({}), 3600.0)
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_holder_of_this_machine_that_was_killed_is_followed_at_once(folder: FolderStore, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIMS_AND_WAITS, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        with pytest.raises(DataError, match=f"is written by process {holder.pid} on "):
            begin(folder, Owner.of({}))
        holder.kill()
        # Dead, though nobody has waited for it yet.
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        clock = Clock()
        assert begin(folder, Owner.of({}), clock).number == 2
    assert clock.now == 0.0


def test_a_rank_is_known_by_the_names_that_the_chart_gives_it() -> None:
    names = {"CXR_TRAIN_JOB": "a-0123", "CXR_TRAIN_RELEASE": "a", "CXR_TRAIN_NAMESPACE": "films"}
    found = Owner.of(names)
    assert (found.job, found.release, found.process) == ("films/a-0123", "films/a", Process.own())
    assert found.same_job(Owner.of(names))
    assert not found.same_release(Owner.of({**names, "CXR_TRAIN_NAMESPACE": "others"}))
    assert not Owner.of({}).same_job(Owner.of({}))
    assert not Owner.of({}).same_release(Owner.of({}))


def test_an_older_attempts_commit_is_refused(store: Store, made) -> None:
    older, newer = begin(store, ALICE), begin(store, ALICE)
    with pytest.raises(DataError, match="belongs to attempt 2; this is attempt 1; let the newer one run"):
        commit(store, made(9), b"", older)
    assert newest(store)[0] is None
    commit(store, made(9, attempt=2), b"", newer)
    found, _ = newest(store)
    assert found is not None
    assert found.mark.attempt == 2


def test_an_older_attempt_that_passed_every_check_harms_nothing_of_a_newer_one(
    folder: FolderStore, made, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = begin(folder, ALICE), begin(folder, ALICE)
    commit(folder, made(9, attempt=2), b"", newer)
    before = {each.name: folder.read(each.name) for each in folder.entries("step-000000009-attempt-000002")}
    monkeypatch.setattr(older, "refuse_if_older", lambda: None)
    commit(folder, made(30), b"", older)
    assert {each.name: folder.read(each.name) for each in folder.entries("step-000000009-attempt-000002")} == before
    found, _ = newest(folder)
    assert found is not None
    assert (found.mark.attempt, found.mark.step) == (2, 9)


def test_an_older_attempt_can_no_longer_renew(store: Store) -> None:
    older = begin(store, ALICE)
    begin(store, ALICE)
    with pytest.raises(DataError, match="belongs to attempt 2"):
        older.renew()


def test_a_lease_is_renewed_while_it_is_held_and_ended_with_it(folder: FolderStore) -> None:
    attempt = claim(folder, ALICE, 0.03)
    renewed = threading.Event()
    renew = attempt.renew
    attempt.renew = lambda: (renew(), renewed.set())  # type: ignore[method-assign]
    lease = Lease(attempt)
    assert renewed.wait(30)
    lease.end()
    assert lease.lost is None
    assert begin(folder, BOB).number == 2


def test_a_lease_hears_of_a_newer_attempt(folder: FolderStore) -> None:
    lease = Lease(claim(folder, ALICE, 0.03))
    begin(folder, ALICE)
    lease._thread.join(30)
    assert "belongs to attempt 2" in str(lease.lost)
    lease.end()


def test_a_lease_outlives_a_store_that_is_down_for_a_while(folder: FolderStore) -> None:
    attempt = claim(folder, ALICE, 0.03)
    renew, down, back = attempt.renew, [True, True], threading.Event()

    def renew_if_up() -> None:
        if down:
            down.pop()
            raise StoreDown("checkpoint.directory", "s3://runs/a", "does not answer", "wait")
        renew()
        back.set()

    attempt.renew = renew_if_up  # type: ignore[method-assign]
    lease = Lease(attempt)
    assert back.wait(30)
    lease.end()
    assert lease.lost is None


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"^checkpoint.directory: .* cannot be used "):
        begin(FolderStore(tmp_path / "file" / "run", "checkpoint.directory"), ALICE)
