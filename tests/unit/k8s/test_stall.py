"""A rank that hangs is named, among ranks that all stand still."""

from k8s.stall import Standing, blame, still_seconds


def at(rank: int, phase: str, step: int, since: float = 0.0, scored: int = 0, state: str = "") -> Standing:
    return Standing(f"job-worker-{rank}", phase, step, scored, since, state)


def test_ranks_stand_still_since_the_last_one_moved():
    assert still_seconds({0: at(0, "step", 5, since=10.0), 1: at(1, "films", 5, since=40.0)}, 100.0) == 60.0


def test_a_rank_without_films_is_named_while_the_others_wait_in_the_step():
    ranks = {0: at(0, "step", 7), 1: at(1, "films", 7), 2: at(2, "step", 7)}
    assert blame(ranks, 600) == (
        "rank 1 on job-worker-1 hangs waiting for films after step 7, the others are in a step: no step for 600 s"
    )


def test_a_rank_that_is_a_step_behind_is_named():
    assert blame({0: at(0, "films", 8), 1: at(1, "step", 7)}, 600).startswith("rank 1 on job-worker-1 hangs in a step")


def test_a_stopped_process_is_named_wherever_it_stands():
    ranks = {0: at(0, "films", 7), 1: at(1, "step", 7, state="stopped")}
    assert blame(ranks, 60) == "rank 1 on job-worker-1 is stopped (SIGSTOP): no step for 60 s"


def test_a_rank_that_waits_for_a_disk_is_named():
    ranks = {0: at(0, "step", 7), 1: at(1, "step", 7, state="blocked")}
    assert blame(ranks, 60).startswith("rank 1 on job-worker-1 waits for a disk or a file server")


def test_a_rank_behind_in_validation_is_named():
    ranks = {0: at(0, "validating", 7, scored=9), 1: at(1, "validating", 7, scored=4)}
    assert blame(ranks, 60).startswith("rank 1 on job-worker-1 hangs validating")


def test_if_all_wait_alike_nobody_is_accused():
    text = blame({0: at(0, "step", 7), 1: at(1, "step", 7)}, 60)
    assert text.startswith("all ranks are in a step after step 7 and none moves")
    assert "worker" not in text
