"""Whether another attempt follows, and for which reason."""

from collections.abc import Sequence

import pytest

from k8s.attempts import Outcome, RankEnd, Verdict, fewer_workers, verdict

W0, W1 = "job-worker-0", "job-worker-1"


def end(rank: int, code: int, **more: object) -> RankEnd:
    return RankEnd(rank, (W0, W1)[rank], code, **more)


def of(*ends: RankEnd, **more: object) -> Verdict:
    return verdict(Outcome(ranks=2, ends=ends, **more))


def test_all_ranks_done_is_done():
    assert of(end(0, 0), end(1, 0)) == Verdict("done", 0)


def test_a_rank_that_never_told_its_end_is_not_taken_for_done():
    assert of(end(0, 0), mpirun_code=0).kind == "retry"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 127])
def test_an_error_that_would_come_again_is_permanent_and_says_so_in_the_ranks_words(code):
    found = of(end(1, code, last="data.training: '/x' has no manifest.json"), end(0, 137, by_others=True))
    assert (found.kind, found.code) == ("permanent", code)
    assert found.reason == f"rank 1 on {W1} ended with exit code {code}: data.training: '/x' has no manifest.json"


@pytest.mark.parametrize(("code", "name"), [(137, "SIGKILL"), (134, "SIGABRT"), (139, "SIGSEGV")])
def test_a_killed_rank_is_worth_a_retry_and_named(code, name):
    found = of(end(1, code), end(0, 144))
    assert (found.kind, found.reason) == ("retry", f"rank 1 on {W1} was ended by {name} (exit {code})")
    assert found.counts


def test_a_store_that_was_down_is_worth_a_retry_and_not_taken_for_a_signal():
    found = of(end(0, 145, last="checkpoint.directory: 's3://runs/a' has not taken it"), end(1, 144))
    assert (found.kind, found.code) == ("retry", 145)
    assert found.reason.endswith("ended with exit code 145: checkpoint.directory: 's3://runs/a' has not taken it")


def test_what_a_killed_rank_does_to_the_others_is_not_the_verdict():
    """Open MPI aborts a rank whose peer is gone with a code of its own."""
    assert of(end(0, 1, last="MPI_ABORT"), end(1, 137)).kind == "retry"


def test_an_error_of_ours_is_permanent_even_if_another_rank_was_killed():
    assert of(end(0, 137), end(1, 3, last="x")).kind == "permanent"


def test_a_lost_worker_explains_what_the_others_ended_with():
    found = of(end(0, 1), lost=f"{W1} was lost: its pod is gone")
    assert (found.kind, found.reason) == ("retry", f"{W1} was lost: its pod is gone")


def test_an_eviction_is_no_failure_of_the_job():
    assert not of(end(0, 143), end(1, 143), disrupted=True).counts
    assert not of(lost="gone", disrupted=True).counts
    assert of(lost="OOMKilled").counts


def test_a_rank_that_sigterm_met_before_it_trained_has_no_checkpoint():
    early = of(end(0, 143, by_signal=True), end(1, 143, by_signal=True), leaving=W1, disrupted=True)
    assert early.reason == f"{W1} was told to leave; the ranks stopped before they trained"
    saved = of(end(0, 143), end(1, 143), leaving=W1, disrupted=True)
    assert saved.reason == f"{W1} was told to leave; the ranks stopped after a checkpoint"


def test_a_rank_killed_for_want_of_memory_says_at_which_limit():
    found = of(end(1, 137, out_of_memory="its limit of 2.00 GiB"), end(0, 144))
    assert found.kind == "retry"
    assert found.reason == (
        f"rank 1 on {W1} was killed for want of memory, at its limit of 2.00 GiB; "
        "raise the worker's memory limit, or lower train.global_batch_size"
    )


def test_ranks_that_only_lost_one_another_go_on():
    found = of(end(0, 144), end(1, 144))
    assert (found.kind, found.code) == ("retry", 144)


def test_a_hung_rank_is_the_reason():
    assert of(end(0, 137, by_others=True), hung="rank 1 hangs").reason == "rank 1 hangs"


def test_an_mpirun_that_started_nobody_is_quoted():
    found = of(mpirun_code=1, mpirun_words=["-----", "ORTE was unable to reliably start", "", "one or more daemons."])
    assert found.reason == (
        "mpirun ended with 1 after 0 of 2 ranks: ORTE was unable to reliably start one or more daemons."
    )


@pytest.mark.parametrize(
    ("ready", "minimum", "batch", "ranks", "chosen"),
    [
        ([0, 1, 3], 1, 32, 1, [0, 1]),
        ([0, 1, 3], 3, 32, 1, []),
        ([0, 1, 3], 3, 33, 1, [0, 1, 3]),
        ([1, 2], 1, 32, 2, [1, 2]),
        ([2], 1, 32, 8, [2]),
        ([], 1, 32, 1, []),
        ([0, 1, 2], 0, 32, 1, []),
    ],
)
def test_fewer_workers_are_as_many_as_divide_the_batch(
    ready: Sequence[int], minimum: int, batch: int, ranks: int, chosen: Sequence[int]
):
    assert fewer_workers(ready, minimum, batch, ranks) == chosen
